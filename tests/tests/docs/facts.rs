//! The tables of errors, reasons and alerts say what the code says.
//!
//! Invariant: a row too many fails as one that is missing does.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use asyncmcp_dataplane::caller::respond::access;
use asyncmcp_delivery::egress::Rules;
use asyncmcp_delivery::state::{Category, End, Fault};
use asyncmcp_tests::chart;
use asyncmcp_tests::command::root;
use asyncmcp_tests::pages::Page;
use regex::Regex;

const ERRORS: &str = "docs/reference/errors.md";
const ALERTS: &str = "docs/how-to/respond-to-alerts.md";

/// The names in the first column.
fn names(page: &Page, title: &str) -> BTreeSet<String> {
    let rows = page.table(title).into_iter();
    let cells = rows.filter_map(|row| row.into_iter().next());
    cells
        .flat_map(|cell| cell.split(", ").map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn set<T: Into<String>>(names: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    names.into_iter().map(Into::into).collect()
}

#[test]
fn every_error_code_has_its_row() -> Result<()> {
    let source = source("dataplane/protocol/src/code.rs")?;
    let arm = Regex::new(r#"Self::(\w+) => (?:(-\d+)|"(\w+)"),"#)?;
    let mut codes: BTreeMap<&str, (String, String)> = BTreeMap::new();
    for found in arm.captures_iter(&source) {
        let code = codes
            .entry(found.get(1).context("no name")?.as_str())
            .or_default();
        let text = |group| found.get(group).map(|text| text.as_str().to_owned());
        code.0.extend(text(2));
        code.1.extend(text(3));
    }
    let expected: BTreeSet<_> = codes.into_values().collect();
    assert!(expected.len() >= 15, "{expected:?}");
    let rows = Page::read(ERRORS)?.table("JSON-RPC error codes");
    let shown: BTreeSet<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(shown, expected);
    Ok(())
}

#[test]
fn every_reason_has_its_row() -> Result<()> {
    let page = Page::read(ERRORS)?;
    let section = "Reasons of dead letters and retries";
    let reasons = Category::ALL
        .map(Category::as_str)
        .into_iter()
        .chain(Fault::ALL.map(Fault::as_str));
    let mut shown = names(&page, section);
    shown.remove("reason"); // the head of the second table
    shown.remove("---");
    assert_eq!(shown, set(reasons));
    assert_eq!(names(&page, "How a call ends"), set(End::ALL.map(End::as_str)));
    assert_eq!(names(&page, "Egress rules"), set(Rules::names()));
    assert_eq!(
        names(&page, "Reasons of refused credentials"),
        set(access::Error::reasons())
    );
    Ok(())
}

/// Reasons are texts in the operator's source; these are the ways in which they are written there.
#[test]
fn every_reason_of_a_condition_has_its_row() -> Result<()> {
    let shown = names(&Page::read(ERRORS)?, "Reasons of conditions");
    let written = Regex::new(
        r#"(?:Verdict::(?:yes|no|unknown)\(\s*|blocking\(|: &str = |reason: |=> \{?\s*)"([A-Z]\w+)""#,
    )?;
    let (mut expected, mut text) = (BTreeSet::new(), String::new());
    for file in sources("operator/src/route")?
        .into_iter()
        .chain(["crds/src/load.rs".to_owned(), "crds/src/report.rs".to_owned()])
    {
        let source = source(&file)?;
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        if file.ends_with("/report.rs") || !file.contains("/build/") && !file.contains("tests") {
            expected.extend(written.captures_iter(code).map(|found| found[1].to_owned()));
        }
        text.push_str(code);
    }
    let missing: Vec<_> = expected.difference(&shown).collect();
    assert!(missing.is_empty(), "the page lacks {missing:?}");
    let unknown: Vec<_> = shown
        .iter()
        .filter(|reason| !text.contains(&format!("\"{reason}\"")))
        .collect();
    assert!(unknown.is_empty(), "the code has no {unknown:?}");
    Ok(())
}

pub(crate) fn source(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

pub(crate) fn sources(dir: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(dir))? {
        let entry = entry?;
        let path = format!("{dir}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            found.extend(sources(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[test]
fn every_alert_has_its_runbook() -> Result<()> {
    let rules = chart::yaml("alerts/asyncmcp.rules.yaml")?;
    let groups = rules["groups"].as_array().context("no groups")?;
    let alerts = groups
        .iter()
        .filter_map(|group| group["rules"].as_array())
        .flatten();
    let alerts = set(alerts.filter_map(|rule| rule["alert"].as_str()));
    let page = Page::read(ALERTS)?;
    let shown = page
        .prose()
        .filter_map(|line| line.strip_prefix("## "))
        .filter(|title| title.starts_with("Asyncmcp"));
    assert_eq!(set(shown), alerts);
    Ok(())
}

#[test]
fn every_alert_links_its_runbook() -> Result<()> {
    let anchors = Page::read(ALERTS)?.anchors();
    let rules = chart::yaml("alerts/asyncmcp.rules.yaml")?;
    let groups = rules["groups"].as_array().context("no groups")?;
    for rule in groups
        .iter()
        .filter_map(|group| group["rules"].as_array())
        .flatten()
    {
        let link = rule["annotations"]["runbook_url"].as_str().unwrap_or_default();
        let anchor = link.strip_prefix(ALERTS).and_then(|rest| rest.strip_prefix('#'));
        let name = rule["alert"].as_str().context("no name")?.to_lowercase();
        assert_eq!(anchor, Some(name.as_str()), "runbook_url of {}", rule["alert"]);
        assert!(anchors.contains(&name), "{ALERTS} has no section {name}");
    }
    Ok(())
}
