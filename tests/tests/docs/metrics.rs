//! docs/reference/metrics.md lists what `/metrics` serves.
//!
//! Invariant: a metric that is not listed fails as one that does not exist does. Labels are seen on a data plane that has
//! answered a call and delivered a result.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use http::StatusCode;
use regex::Regex;
use serde_json::json;

use crate::facts::{source, sources};

const PAGE: &str = "docs/reference/metrics.md";

/// A metric's name, type and labels, as a row of the page has them.
type Row = (String, String, String);

#[tokio::test]
async fn every_metric_of_a_data_plane_has_its_row() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let receiver = Receiver::start(|_| async { StatusCode::OK }).await?;
    let route = json!({
        "apiVersion": "asyncmcp.dev/v1alpha1",
        "kind": "McpWebhookRoute",
        "metadata": {"name": "metrics"},
        "spec": {
            "servers": [{"name": "example", "url": example.url}],
            "webhookTools": [{"name": "process_batch"}],
            "webhook": {"receivers": {"default": {"url": receiver.url("/hook")}}},
        },
    });
    let gateway = DataPlane::start(dir.path(), &route.to_string(), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    session.call(1, "echo", &json!({"text": "a"})).await?;
    session
        .call(2, "process_batch", &json!({"seconds": 0, "items": 1}))
        .await?;
    gateway.at_rest(Duration::from_secs(30)).await;
    assert_eq!(listed("Data plane")?, served(&gateway.metrics().await?)?);
    Ok(())
}

fn listed(section: &str) -> Result<BTreeSet<Row>> {
    let rows = Page::read(PAGE)?.table(section);
    Ok(rows
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone(), row[2].clone()))
        .collect())
}

fn served(text: &str) -> Result<BTreeSet<Row>> {
    let (sample, label) = (Regex::new(r"^(\w+)(?:\{(.*)\})? ")?, Regex::new(r#"(\w+)=""#)?);
    let types = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut metrics: BTreeMap<&str, (&str, BTreeSet<&str>)> = types
        .map(|(name, kind)| (name, (kind, BTreeSet::new())))
        .collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let found = sample.captures(line).with_context(|| line.to_owned())?;
        let name = found.get(1).context("no name")?.as_str();
        let parts = ["_bucket", "_sum", "_count"]
            .into_iter()
            .filter_map(|part| name.strip_suffix(part));
        let name = parts
            .into_iter()
            .find(|name| metrics.contains_key(name))
            .unwrap_or(name);
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let labels = label
            .captures_iter(labels)
            .filter_map(|found| Some(found.get(1)?.as_str()));
        let (_, known) = metrics.get_mut(name).with_context(|| name.to_owned())?;
        known.extend(labels.filter(|label| !["namespace", "route", "le"].contains(label)));
    }
    let row = |(name, (kind, labels)): (&str, (&str, BTreeSet<&str>))| {
        let labels: Vec<_> = labels.into_iter().collect();
        (name.to_owned(), kind.to_owned(), labels.join(", "))
    };
    Ok(metrics.into_iter().map(row).collect())
}

/// An operator serves nothing without an API server, so its names are read from the source.
#[test]
fn every_metric_of_the_operator_has_its_row() -> Result<()> {
    let name = Regex::new(r#""(asyncmcp_[a-z_]+)""#)?;
    let mut written = BTreeSet::new();
    for file in sources("operator/src")? {
        let source = source(&file)?;
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        written.extend(name.captures_iter(code).map(|found| found[1].to_owned()));
    }
    let listed: BTreeSet<_> = listed("Operator")?.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(listed, written);
    Ok(())
}
