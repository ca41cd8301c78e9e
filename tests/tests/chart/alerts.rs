//! The chart's alert rules, by promtool.

use anyhow::{Context as _, Result};
use asyncmcp_tests::{chart, command};
use serde_json::Value;

const CASES: &str = "tests/monitoring/rules.test.yaml";

fn rules() -> Result<Vec<Value>> {
    let file = chart::yaml("alerts/asyncmcp.rules.yaml")?;
    let groups = file["groups"].as_array().context("no groups")?;
    Ok(groups
        .iter()
        .filter_map(|group| group["rules"].as_array())
        .flatten()
        .cloned()
        .collect())
}

#[test]
fn the_rules_are_valid() -> Result<()> {
    command::run(
        "promtool",
        &[
            "check",
            "rules",
            "--lint-fatal",
            "charts/asyncmcp/alerts/asyncmcp.rules.yaml",
        ],
    )
    .map(drop)
}

#[test]
fn the_rules_fire_when_they_should_and_only_then() -> Result<()> {
    command::run("promtool", &["test", "rules", CASES]).map(drop)
}

#[test]
fn each_rule_has_a_case_that_fires_and_one_that_does_not() -> Result<()> {
    let cases = std::fs::read_to_string(command::root().join(CASES))?;
    for rule in rules()? {
        let name = rule["alert"].as_str().context("a rule without a name")?;
        let fires = format!("labels: ALERTS{{alertname=\"{name}\", alertstate=\"firing\"");
        let quiet = format!("alertname: {name}, exp_alerts: []");
        assert!(cases.contains(&fires), "no case in which {name} fires");
        assert!(cases.contains(&quiet), "no case in which {name} is quiet");
    }
    Ok(())
}

#[test]
fn each_rule_says_what_it_means_and_what_to_do() -> Result<()> {
    for rule in rules()? {
        let name = &rule["alert"];
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["warning", "critical"].contains(&severity), "severity of {name}");
        let text = |key: &str| rule["annotations"][key].as_str().unwrap_or_default().to_owned();
        assert!(text("summary").ends_with('.'), "summary of {name}");
        assert!(
            text("description").split_whitespace().count() >= 40,
            "description of {name}"
        );
    }
    Ok(())
}

#[test]
fn the_readmes_scrape_configuration_is_valid() -> Result<()> {
    let readme = chart::file("README.md")?;
    let (_, yaml) = readme.split_once("```yaml\n").context("no YAML in README")?;
    let (yaml, _) = yaml.split_once("```").context("the YAML does not end")?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("prometheus.yml");
    std::fs::write(&path, yaml.replace("\n  ", "\n"))?;
    command::run("promtool", &["check", "config", &path.to_string_lossy()]).map(drop)
}
