//! Whom the gateway goes to: credentials, TLS and Host headers of servers, on the real process; and its own TLS.
//!
//! Invariant: the servers are real ones on sockets, and what they got is what is asserted.

mod credentials;
mod rotation;
mod serving;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How long what should happen may take.
const SOON: Duration = Duration::from_secs(20);

/// A route in front of these servers (one YAML flow map each), with `rest` as the rest of its spec.
fn route(servers: &[String], rest: &str) -> String {
    let servers: Vec<String> = servers.iter().map(|server| format!("  - {server}\n")).collect();
    let servers = servers.concat();
    let head = "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {name: guarded}\nspec:\n  servers:\n";
    format!("{head}{servers}{rest}\n")
}

/// One that keeps nothing.
async fn gateway(dir: &Path, servers: &[String]) -> Result<DataPlane> {
    DataPlane::start(dir, &route(servers, "  store: {memory: {}}"), &[]).await
}

/// What status says of the first server.
async fn server(gateway: &DataPlane) -> Result<Value, String> {
    let status = gateway.status().await.map_err(|error| error.to_string())?;
    Ok(status["servers"][0].clone())
}

/// Waits until the first server is in this state, and its message contains all of `texts`.
async fn told(gateway: &DataPlane, state: &str, texts: &[&str]) -> String {
    eventually(SOON, || async {
        let server = server(gateway).await?;
        let message = server["message"].as_str().unwrap_or_default();
        let is_so = server["state"] == state && texts.iter().all(|text| message.contains(text));
        is_so
            .then(|| message.to_owned())
            .ok_or_else(|| server.to_string())
    })
    .await
}

/// Calls that one client makes, one after the other.
struct Load {
    stop: Arc<AtomicBool>,
    calls: JoinHandle<Result<u64>>,
}

impl Load {
    /// Calls `tool` until it is stopped. Each call must succeed.
    async fn begin(gateway: &DataPlane, tool: &'static str) -> Result<Self> {
        let session = Session::open(&gateway.url(), None).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let calls = tokio::spawn(async move {
            let mut count = 0;
            while !stopped.load(Ordering::SeqCst) {
                count += 1;
                let answer = session.call(count, tool, &json!({})).await?;
                anyhow::ensure!(
                    answer.json()["result"].is_object(),
                    "call {count}: {}",
                    answer.json()
                );
            }
            Ok(count)
        });
        Ok(Self { stop, calls })
    }

    /// Ends it: how many calls it made.
    async fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::SeqCst);
        self.calls.await.context("the load")?
    }
}
