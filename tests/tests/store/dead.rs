//! One client's dead letters fill a small store: it pays with the oldest ones, and another client's calls are accepted.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::process::binary;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Reply, Session};
use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_mins(1);
/// Their results fill more than 85 % of the budget, 80 % of 32 MiB.
const FLOOD: u64 = 45;
const RESULT: usize = 600_000;

/// Calls run one at a time, and the first one only after a while, so that all are accepted before the first results fill
/// the client's share.
fn route(server: &str, receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: dead}}
spec:
  store: {{embedded: {{size: 32Mi}}}}
  servers:
  - {{name: fake, url: "{server}"}}
  webhookTools: [{{name: dump}}, {{name: note}}]
  webhook:
    maxRunning: 1
    receivers: {{default: {{url: "{receiver}"}}}}
"#
    )
}

async fn jobs(gateway: &DataPlane, args: &[&str]) -> Result<Result<String, String>> {
    let output = Command::new(binary("asyncmcp")?)
        .arg("jobs")
        .args(args)
        .args(["--admin", &gateway.admin(""), "--token-file"])
        .arg(gateway.dir.join("state/adminToken"))
        .output()
        .await?;
    let said = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(if output.status.success() {
        Ok(said(output.stdout))
    } else {
        Err(said(output.stderr))
    })
}

async fn shown(gateway: &DataPlane, id: &str) -> Result<Value> {
    let said = jobs(gateway, &["show", id, "-o", "json"]).await?;
    let said = said.map_err(anyhow::Error::msg)?;
    serde_json::from_str(&said).context(said)
}

async fn call(session: &Session, id: u64, tool: &str) -> Result<Reply> {
    Ok(session.call(id, tool, &json!({})).await?)
}

async fn dead(gateway: &DataPlane, count: u64) {
    eventually(PATIENCE, || async {
        let status = gateway.status().await.map_err(|error| error.to_string())?;
        let dead = status["delivery"]["deadLettered"].as_u64();
        if dead == Some(count) {
            Ok(())
        } else {
            Err(format!("{dead:?} of {count} are dead"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_that_fills_the_store_with_dead_letters_pays_for_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["dump", "note"]).await;
    let (bytes, stream) = (RESULT, false);
    server.on("dump", [Reaction::Big { bytes, stream }]);
    let receiver = Receiver::start(|_| async { StatusCode::BAD_REQUEST }).await?;
    let route = route(&server.url(), &receiver.url("/hook"));
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;
    let other = Session::open(&gateway.url(), None).await?;
    let theirs = call(&other, 1, "note").await?.job().context("not accepted")?;
    dead(&gateway, 1).await;

    let flooding = Session::open(&gateway.url(), None).await?;
    server.nature().slow_start = Duration::from_secs(1);
    server.forget_sessions();
    let flood = join_all((0..FLOOD).map(|id| call(&flooding, id, "dump"))).await;
    let flood: Vec<String> = flood
        .into_iter()
        .map(|reply| reply?.job().context("not accepted"))
        .collect::<Result<_>>()?;
    dead(&gateway, FLOOD + 1).await;
    assert!(gateway.metric("asyncmcp_dead_letters_evicted_total", &[]).await? >= 1.0);

    // The flood is over its share, and nobody else pays for it.
    let refused = call(&flooding, FLOOD, "note").await?.json()["error"].clone();
    assert_eq!(refused["code"], -31004, "{refused}");
    assert!(
        refused.to_string().contains("its share of the gateway's store"),
        "{refused}"
    );
    eventually(PATIENCE, || async {
        let reply = call(&other, 2, "note").await.map_err(|error| error.to_string())?;
        if reply.is_acknowledgement() {
            Ok(())
        } else {
            Err(reply.json().to_string())
        }
    })
    .await;
    assert_eq!(shown(&gateway, &theirs).await?["deadReason"], "http_4xx");

    let (mut ids, listed) = (
        flood,
        jobs(&gateway, &["list", "--dead-reason", "evicted"]).await?,
    );
    let listed = listed.map_err(anyhow::Error::msg)?;
    ids.retain(|id| listed.contains(id.as_str()));
    let evicted = ids.first().with_context(|| listed.clone())?;
    let job = shown(&gateway, evicted).await?;
    assert_eq!(
        (&job["state"], &job["lastFailure"]),
        (&json!("dead"), &json!("http_4xx")),
        "{job}"
    );
    let replayed = jobs(&gateway, &["replay", evicted]).await?;
    let said = replayed.expect_err("there is nothing to replay");
    assert!(said.contains("deleted to make room in the store"), "{said}");
    Ok(())
}
