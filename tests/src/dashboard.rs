//! The chart's Grafana dashboards, read as a person's eyes and Prometheus see them.
//!
//! Invariant: every query of every panel is here, also of panels inside a collapsed row.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{chart, command};

/// A dashboard of the chart.
pub struct Dashboard {
    /// Its file, from the chart.
    pub path: String,
    /// What Grafana reads.
    pub json: Value,
}

/// One query of a panel.
#[derive(Debug)]
pub struct Query {
    /// The panel's title.
    pub panel: String,
    /// `PromQL` with Grafana's variables in it.
    pub expression: String,
    /// The labels by which its legend names a series.
    pub labels: Vec<String>,
}

/// Every dashboard of the chart.
pub fn all() -> Result<Vec<Dashboard>> {
    let directory = command::root().join(chart::CHART).join("dashboards");
    let mut dashboards = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = format!("dashboards/{}", entry?.file_name().to_string_lossy());
        let json = serde_json::from_str(&chart::file(&path)?).with_context(|| path.clone())?;
        dashboards.push(Dashboard { path, json });
    }
    anyhow::ensure!(!dashboards.is_empty(), "the chart has no dashboards");
    Ok(dashboards)
}

impl Dashboard {
    /// Every panel, rows included.
    pub fn panels(&self) -> Vec<&Value> {
        let top = items(&self.json["panels"]);
        let inner = top.clone().flat_map(|panel| items(&panel["panels"]));
        top.chain(inner).collect()
    }

    /// Every query.
    pub fn queries(&self) -> Vec<Query> {
        let query = |panel: &Value, target: &Value| Query {
            panel: panel["title"].as_str().unwrap_or_default().to_owned(),
            expression: target["expr"].as_str().unwrap_or_default().to_owned(),
            labels: legend(target["legendFormat"].as_str().unwrap_or_default()),
        };
        let of = |panel: &Value| {
            items(&panel["targets"])
                .map(|target| query(panel, target))
                .collect::<Vec<_>>()
        };
        self.panels().into_iter().flat_map(of).collect()
    }
}

fn items(list: &Value) -> std::slice::Iter<'_, Value> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// The labels in `{{namespace}}/{{route}}`.
fn legend(format: &str) -> Vec<String> {
    let opened = format.split("{{").skip(1);
    opened
        .filter_map(|rest| Some(rest.split_once("}}")?.0.to_owned()))
        .collect()
}

/// The metric names in a `PromQL` expression: ours all begin with `asyncmcp_` or `mcp_`. Label names that begin so too
/// stand in parentheses after `by`, or right before a matcher's operator.
pub fn metrics(expression: &str) -> Vec<String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    for (at, _) in expression.match_indices(['{', '[', ')', ' ']) {
        let before = &expression[..at];
        let begin = before
            .rfind(|character| !is_word(character))
            .map_or(0, |place| place + 1);
        let word = &before[begin..];
        let a_label = grouping(&before[..begin]);
        if !a_label && (word.starts_with("asyncmcp_") || word.starts_with("mcp_")) {
            found.push(word.to_owned());
        }
    }
    found
}

/// Whether what follows is a label in `by (...)` or `without (...)`.
fn grouping(before: &str) -> bool {
    let opened = before.rfind('(').map_or("", |place| before[..place].trim_end());
    opened.ends_with("by") || opened.ends_with("without")
}
