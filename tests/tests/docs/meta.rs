//! docs/reference/client-meta.md shows what a client gets, and names every key that the gateway reads or writes.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use http::StatusCode;
use regex::Regex;
use serde_json::{Value, json};

use crate::facts::{source, sources};

const PAGE: &str = "docs/reference/client-meta.md";

/// The only JSON block of a section.
fn shown(section: &str) -> Result<Value> {
    let blocks = Page::read(PAGE)?.section(section);
    let block = blocks.iter().find(|block| block.language == "json");
    Ok(serde_json::from_str(
        &block.with_context(|| section.to_owned())?.text,
    )?)
}

/// Without what differs from call to call.
fn masked(value: &Value) -> Result<Value> {
    let differs = Regex::new("01[0-9a-hjkmnp-tv-z]{24}|msg_[0-9a-f]{32}")?;
    Ok(serde_json::from_str(
        &differs.replace_all(&value.to_string(), "*"),
    )?)
}

#[tokio::test]
async fn a_client_gets_the_acknowledgement_of_the_page_for_the_calls_of_the_page() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let receiver = Receiver::start(|_| async { StatusCode::OK }).await?;
    let route = json!({
        "apiVersion": "asyncmcp.dev/v1alpha1",
        "kind": "McpWebhookRoute",
        "metadata": {"name": "meta"},
        "spec": {
            "servers": [{"name": "example", "url": example.url}],
            "webhookTools": [{"name": "process_batch"}],
            "webhook": {"receivers": {
                "default": {"url": receiver.url("/hook")},
                "fromClients": {"allowedHosts": ["hooks.example.com"]},
            }},
        },
    });
    let gateway = DataPlane::start(dir.path(), &route.to_string(), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let keyed = shown("dev.asyncmcp/idempotencyKey")?;
    let mut expected = masked(&shown("dev.asyncmcp/job")?)?;
    expected["id"] = keyed["id"].clone();
    let first = session.post(keyed.to_string()).await?;
    assert_eq!(masked(&first.json())?, expected);
    // The same call once more is the same job.
    assert_eq!(session.post(keyed.to_string()).await?.job(), first.job());

    let named = session.post(shown("dev.asyncmcp/webhook")?.to_string()).await?;
    assert!(
        named.job().is_some_and(|job| Some(job) != first.job()),
        "{}",
        named.json()
    );
    let opened = Session::nowhere(&gateway.url())?
        .post(shown("webhookUrl")?.to_string())
        .await?;
    assert!(opened.headers.contains_key("mcp-session-id"), "{}", opened.json());
    Ok(())
}

#[test]
fn every_key_has_its_row() -> Result<()> {
    let key = Regex::new(r#""(dev\.asyncmcp/[A-Za-z]+)""#)?;
    let mut written = BTreeSet::from(["webhookUrl".to_owned()]);
    for dir in ["dataplane/src", "dataplane/protocol/src"] {
        for file in sources(dir)?.iter().filter(|file| !file.contains("tests")) {
            let source = source(file)?;
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            written.extend(key.captures_iter(code).map(|found| found[1].to_owned()));
        }
    }
    let rows = Page::read(PAGE)?.table("What clients send and get in _meta");
    let listed: BTreeSet<_> = rows
        .into_iter()
        .filter_map(|row| row.into_iter().next())
        .collect();
    assert_eq!(listed, written);
    Ok(())
}
