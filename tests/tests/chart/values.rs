//! The chart's values: the schema, the defaults and the README say the same.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use asyncmcp_crds::load::{Unknown, load};
use asyncmcp_crds::validate::validate;
use asyncmcp_tests::{chart, command};
use serde_json::Value;

/// Values that are wrong, and the word in helm's message that finds the mistake.
const WRONG: [(&str, &str); 26] = [
    ("replica=2", "replica"),
    ("replicas=two", "replicas"),
    ("replicas=9", "replicas"),
    ("image.pullPolicy=Sometimes", "pullPolicy"),
    ("image.tag=a tag", "tag"),
    ("image.digest=sha256:12", "digest"),
    ("image.repo=x", "repo"),
    ("dataplane.image.pullPolicy=Always", "pullPolicy"),
    ("dataplane.runAsUser=0", "runAsUser"),
    ("dataplane.maxRollingRoutes=0", "maxRollingRoutes"),
    ("runAsUser=root", "runAsUser"),
    ("watchNamespaces=tools", "watchNamespaces"),
    ("watchNamespaces={Tools}", "watchNamespaces"),
    ("secrets.watch=maybe", "watch"),
    ("operatorClass=Team", "operatorClass"),
    ("lock.name=x", "name"),
    ("admissionPolicy.enabled=false", "enabled"),
    ("crds.enabled=true", "enabled"),
    ("rbac.create=1", "create"),
    ("serviceAccount.name=A", "name"),
    ("logFormat=xml", "logFormat"),
    ("logLevel=", "logLevel"),
    ("resources.limit.cpu=1", "limit"),
    ("podLabels.version=1", "version"),
    ("metrics.podMonitor.interval=30", "interval"),
    ("dashboards.labels.grafana_dashboard=1", "grafana_dashboard"),
];

#[test]
fn a_wrong_value_is_refused_and_named() -> Result<()> {
    for (value, name) in WRONG {
        let message = chart::refused(&[value])?;
        assert!(message.contains(name), "{value}: {message}");
    }
    Ok(())
}

#[test]
fn an_older_kubernetes_is_refused() -> Result<()> {
    let old = command::refused(
        "helm",
        &["template", "x", chart::CHART, "--kube-version", "1.29.9"],
    )?;
    assert!(old.contains(">=1.30"), "{old}");
    command::run(
        "helm",
        &["template", "x", chart::CHART, "--kube-version", "1.30.1-gke.5"],
    )?;
    Ok(())
}

/// Paths of everything that the schema names; below a reference or a free map nothing is named.
fn named(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        named(below, &path, found);
        found.insert(path);
    }
}

fn is_map_of_strings(path: &str) -> bool {
    path.starts_with(".dashboards.labels.") || path.starts_with(".resources.")
}

fn defaults(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, below) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        defaults(below, &path, found);
        found.insert(path);
    }
}

#[test]
fn the_schema_knows_the_values_and_nothing_else() -> Result<()> {
    let schema: Value = serde_json::from_str(&chart::file("values.schema.json")?)?;
    let (mut known, mut given) = (BTreeSet::new(), BTreeSet::new());
    named(&schema, "", &mut known);
    defaults(&chart::yaml("values.yaml")?, "", &mut given);
    // Helm itself gives every chart this one.
    known.remove(".global");
    known.retain(|path| !is_map_of_strings(path));
    given.retain(|path| !is_map_of_strings(path));
    assert_eq!(known, given);
    Ok(())
}

#[test]
fn every_value_has_a_comment() -> Result<()> {
    let text = chart::file("values.yaml")?;
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.windows(2) {
        let is_key = !pair[1].is_empty() && !pair[1].trim_start().starts_with('#');
        assert!(
            !is_key || pair[0].trim_start().starts_with('#'),
            "no comment above: {}",
            pair[1]
        );
    }
    Ok(())
}

#[test]
fn the_readmes_table_is_current() -> Result<()> {
    command::run("charts/asyncmcp/values-table", &["--check"]).map(drop)
}

#[test]
fn the_notes_say_to_delete_routes_first() -> Result<()> {
    let notes = command::run(
        "helm",
        &[
            &["install", "--dry-run=client"],
            &chart::RELEASE[..],
            &["--set", "secrets.watch=false"],
        ]
        .concat(),
    )?;
    let (_, notes) = notes.split_once("NOTES:").context("no notes")?;
    for words in [
        "delete the routes",
        "kubectl get mwr",
        "deployment/asyncmcp",
        "secrets.watch is false",
    ] {
        assert!(notes.contains(words), "{words:?} in {notes}");
    }
    Ok(())
}

#[test]
fn the_notes_first_route_is_a_valid_one() -> Result<()> {
    let notes = command::run(
        "helm",
        &[&["install", "--dry-run=client"], &chart::RELEASE[..]].concat(),
    )?;
    let (_, route) = notes.split_once("<<'ROUTE'\n").context("no route")?;
    let (route, _) = route.split_once("\nROUTE\n").context("the route does not end")?;
    let loaded = load(route, Unknown::Refuse).context("the route in NOTES.txt")?;
    validate(&loaded.route).map_err(|problems| anyhow::anyhow!("{:?}", problems.as_slice()))
}
