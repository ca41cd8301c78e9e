//! The chart's dashboards: valid for Grafana, and about metrics that exist.
//!
//! That each query finds data is for `monitoring` to see, on a Prometheus that scraped the real thing.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use asyncmcp_tests::dashboard::{self, Dashboard};
use asyncmcp_tests::{chart, command};
use serde_json::Value;

#[test]
fn grafanas_own_types_take_the_dashboards() -> Result<()> {
    let paths: Vec<String> = dashboard::all()?
        .iter()
        .map(|board| format!("{}/{}", chart::CHART, board.path))
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    command::run("tests/monitoring/dashboards/check", &paths).map(drop)
}

#[test]
fn a_mistake_in_a_dashboard_is_found() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("wrong.json");
    std::fs::write(
        &path,
        chart::file("dashboards/delivery.json")?.replace("\"drawStyle\"", "\"drawStile\""),
    )?;
    let found = command::run("tests/monitoring/dashboards/check", &[&path.to_string_lossy()]);
    let found = found.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(found.contains("drawStile"), "{found}");
    Ok(())
}

/// The cells of the grid that a panel covers.
fn cells(panel: &Value) -> impl Iterator<Item = (u64, u64)> {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap_or_default());
    (x..x + w).flat_map(move |column| (y..y + h).map(move |line| (column, line)))
}

fn assert_laid_out(board: &Dashboard) {
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in board.panels() {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64()), "the id of {title} is taken");
        for cell in cells(panel) {
            assert!(cell.0 < 24, "{title} is wider than the grid");
            assert!(taken.insert(cell), "{title} lies on another panel");
        }
        let a_row = panel["type"] == "row";
        assert!(
            a_row || panel["description"].is_string(),
            "{title} has no description"
        );
    }
}

#[test]
fn panels_lie_side_by_side_and_say_what_they_show() -> Result<()> {
    dashboard::all()?.iter().for_each(assert_laid_out);
    Ok(())
}

#[test]
fn every_query_follows_the_chosen_data_source_namespace_and_route() -> Result<()> {
    for board in dashboard::all()? {
        let variables = board.json["templating"]["list"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names: Vec<&str> = variables
            .iter()
            .filter_map(|variable| variable["name"].as_str())
            .collect();
        assert_eq!(names, ["datasource", "namespace", "route"]);
        for panel in board.panels().into_iter().filter(|panel| panel["type"] != "row") {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
        for query in board.queries() {
            let selector = r#"{namespace=~"$namespace", route=~"$route""#;
            let selected = query.expression.matches(selector).count();
            assert_eq!(selected, dashboard::metrics(&query.expression).len(), "{query:?}");
            assert!(selected > 0, "{query:?}");
        }
    }
    Ok(())
}

/// Names of metrics in our sources: string literals, with our prefix or to be given it.
fn registered() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for package in ["dataplane", "operator"] {
        collect(&command::root().join(package), &mut names)?;
    }
    Ok(names)
}

fn collect(place: &Path, names: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(place)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let literals = text
                .split('"')
                .filter(|word| word.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()));
            names.extend(literals.flat_map(|word| [word.to_owned(), format!("asyncmcp_{word}")]));
        }
    }
    Ok(())
}

fn assert_registered(expression: &str, names: &BTreeSet<String>) {
    let metrics = dashboard::metrics(expression);
    assert!(!metrics.is_empty(), "no metric of ours in {expression}");
    for metric in metrics {
        let family = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|part| metric.strip_suffix(part));
        let known = names.contains(&metric) || family.is_some_and(|family| names.contains(family));
        assert!(known, "nothing registers {metric}, in {expression}");
    }
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_that_exist() -> Result<()> {
    let names = registered()?;
    for query in dashboard::all()?.iter().flat_map(Dashboard::queries) {
        assert_registered(&query.expression, &names);
    }
    let alerts = chart::yaml("alerts/asyncmcp.rules.yaml")?;
    for group in alerts["groups"].as_array().into_iter().flatten() {
        for rule in group["rules"].as_array().into_iter().flatten() {
            assert_registered(rule["expr"].as_str().unwrap_or_default(), &names);
        }
    }
    Ok(())
}

#[test]
fn metrics_are_told_from_labels() {
    let expression = r#"histogram_quantile(0.95, sum by (le, mcp_method_name) (rate(mcp_server_x_bucket{mcp_method_name="a"}[5m])))"#;
    assert_eq!(dashboard::metrics(expression), ["mcp_server_x_bucket"]);
    assert_eq!(
        dashboard::metrics("absent(asyncmcp_operator_leader)"),
        ["asyncmcp_operator_leader"]
    );
    let ratio = "max by (namespace) (asyncmcp_store_used_bytes / (asyncmcp_store_budget_bytes > 0)) >= 0.7";
    assert_eq!(
        dashboard::metrics(ratio),
        ["asyncmcp_store_used_bytes", "asyncmcp_store_budget_bytes"]
    );
}
