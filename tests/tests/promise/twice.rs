//! A proxy that runs the tool and then answers a status: the tool runs once, and its receiver is told the truth.
//!
//! A row of the table is a status, the moment of it, and what may be concluded. Invariant: the tool's executions
//! are counted where it runs, not where its answer is seen.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use serde_json::json;

use crate::scene::{SOON, answers, route};

/// A status, its body, and what the receiver is to be told: the code of the JSON-RPC error.
const ROWS: &[(u16, &str, i64)] = &[
    (400, "no", UNKNOWN),
    (400, "the database session broke", UNKNOWN),
    (400, CHARGED, 1),
    (403, "no", UNKNOWN),
    (404, CHARGED, 1),
    (408, "", UNKNOWN),
    (409, "", UNKNOWN),
    (413, "", UNKNOWN),
    (422, "", UNKNOWN),
    (429, "", UNKNOWN),
    (500, "", UNKNOWN),
    (502, "", UNKNOWN),
    (503, "upstream connect error", UNKNOWN),
    (503, CHARGED, 1),
    (504, "", UNKNOWN),
];
const UNKNOWN: i64 = -31003;
const CHARGED: &str =
    r#"{"jsonrpc":"2.0","id":ID,"error":{"code":1,"message":"charged, but the session broke"}}"#;
/// Two rounds of any back-off: what is sent again is sent again by then.
const A_WHILE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_may_run_once_runs_once_whatever_a_proxy_answers() -> Result<()> {
    let tools: Vec<_> = (0..ROWS.len()).map(|row| format!("charge_{row}")).collect();
    let server = McpServer::start(&tools.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let receiver = Receiver::willing().await?;
    let dir = tempfile::tempdir()?;
    let route = route(&server.url(), "\"charge_*\"", &receiver.url("/hook"), "{max: 0}");
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    for (row, (status, body, _)) in ROWS.iter().enumerate() {
        server.on(&tools[row], [Reaction::Status(*status, body)]);
        let reply = session.call(row as u64, &tools[row], &json!({})).await?;
        reply
            .job()
            .with_context(|| format!("row {row}: {}", reply.json()))?;
    }
    let posts = receiver.answered(ROWS.len(), SOON).await;
    tokio::time::sleep(A_WHILE).await; // nothing is to happen, and only time shows it
    for (row, (status, body, code)) in ROWS.iter().enumerate() {
        let told = answers(&posts, row as u64);
        let [told] = &told[..] else {
            anyhow::bail!("{status} {body}: {told:?}")
        };
        assert_eq!(told["error"]["code"], *code, "{status} {body}: {told}");
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.contains("did not run"), "{status} {body}: {message}");
        assert_eq!(server.ran(&tools[row]), 1, "{status} {body}");
    }
    Ok(())
}

/// The route may vouch for a server that answers 503 only before it runs anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_the_route_vouches_for_lets_the_call_be_sent_again() -> Result<()> {
    let server = McpServer::start(&["charge"]).await;
    let full = Reaction::Status(503, "at capacity");
    server.on("charge", [full, Reaction::Result(r#"{"content":[]}"#)]);
    let receiver = Receiver::willing().await?;
    let dir = tempfile::tempdir()?;
    let route = route(&server.url(), "charge", &receiver.url("/hook"), "{max: 0}");
    let listed = route.replace(
        &format!("url: \"{}\"", server.url()),
        &format!("url: \"{}\", notDispatched: [503]", server.url()),
    );
    let gateway = DataPlane::start(dir.path(), &listed, &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let reply = session.call(1, "charge", &json!({})).await?;
    reply.job().with_context(|| reply.json().to_string())?;
    let posts = receiver.answered(1, SOON).await;
    let told = answers(&posts, 1);
    assert_eq!(told[0]["result"], json!({"content": []}), "{told:?}");
    assert_eq!(server.ran("charge"), 2, "refused once, then run");
    Ok(())
}
