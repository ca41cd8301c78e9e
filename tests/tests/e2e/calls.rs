//! A route's first minutes: it is applied, clients call, the receiver hears.

use anyhow::Result;
use asyncmcp_tests::cluster::{Release, Space};

use crate::KEY;

#[tokio::test]
async fn a_client_in_a_pod_calls_both_tools_and_the_receiver_gets_a_signed_webhook() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("calls").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;

    let quick = space.call("echo", r#"{"text": "hello"}"#)?;
    assert!(quick.contains(r#""text":"hello""#), "{quick}");
    let slow = space.call("process_batch", r#"{"seconds": 0.2, "items": 7}"#)?;
    assert!(slow.contains(r#"{"acknowledged":{"id":1,"job":"#), "{slow}");
    let received = space.receives("processed 7 items in 0.2 s").await;
    assert!(received.contains("signature valid, answered 200"), "{received}");
    space.done()
}

#[tokio::test]
async fn kubectl_get_shows_how_a_route_fares() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("columns").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;

    let table = space.kubectl(&["get", "mwr"])?;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let columns = [
        "NAME",
        "READY",
        "REASON",
        "SERVERS",
        "WEBHOOK-TOOLS",
        "PENDING",
        "DEAD",
        "URL",
        "AGE",
    ];
    assert_eq!(rows[0], columns);
    let url = format!("http://analytics-dataplane.{}.svc:8080/mcp", space.name);
    assert_eq!(
        rows[1][..8],
        ["analytics", "True", "Ready", "1/1", "1", "0", "0", &url]
    );
    space.done()
}
