//! Two servers share the capacity of a route: whichever is flooded, a call on the other begins with the next free place.
//!
//! Invariant: both directions are tried, since the order of the servers must not matter.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Reply, Session};
use serde_json::json;

use crate::scene::{SOON, answers};

/// Calls of the flood, of a second each; two run at a time.
const FLOOD: u64 = 16;
/// The call on the other server.
const OTHER: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooded_server_does_not_hold_up_another() -> Result<()> {
    tokio::try_join!(flood("one", "two"), flood("two", "one"))?;
    Ok(())
}

async fn flood(flooded: &str, other: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join("second"))?;
    let one = Example::start(dir.path()).await?;
    let two = Example::start(&dir.path().join("second")).await?;
    let receiver = Receiver::willing().await?;
    let route = route(&one.url, &two.url, &receiver.url("/hook"));
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    for id in 0..FLOOD {
        accepted(&call(&session, flooded, id, 1.0).await?)?;
    }
    let began = Instant::now();
    accepted(&call(&session, other, OTHER, 0.0).await?)?;
    asyncmcp_tests::eventually(SOON, || async {
        let told = answers(&receiver.posts(), OTHER);
        told.first().cloned().ok_or("no answer")
    })
    .await;
    // The flood takes eight seconds.
    let waited = began.elapsed();
    assert!(
        waited < Duration::from_secs(4),
        "{flooded} held {other} up for {waited:?}"
    );
    Ok(())
}

async fn call(session: &Session, server: &str, id: u64, seconds: f64) -> Result<Reply> {
    let tool = format!("{server}_process_batch");
    let arguments = json!({"seconds": seconds, "items": 1});
    Ok(session.call(id, &tool, &arguments).await?)
}

fn accepted(reply: &Reply) -> Result<()> {
    reply.job().with_context(|| reply.json().to_string()).map(drop)
}

fn route(one: &str, two: &str, receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: turns}}
spec:
  servers:
  - {{name: one, url: "{one}", toolPrefix: one_}}
  - {{name: two, url: "{two}", toolPrefix: two_}}
  webhookTools:
  - {{name: "*_process_batch"}}
  webhook:
    maxRunning: 2
    receivers:
      default: {{url: "{receiver}"}}
"#
    )
}
