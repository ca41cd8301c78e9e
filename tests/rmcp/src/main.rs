//! The stock Rust SDK as a client: a line of JSON in, a line of JSON out; see `tests/peers/lines.py`.
//!
//! Started by `tests/src/peers/client.rs` with one argument, `{"url": URL, "mode": "legacy" | "auto" | VERSION}`.
//! Invariant: nothing of MCP is spelt here; all that a server sees is the SDK's.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use rmcp::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, ClientRequest, PingRequest, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt as _, NotificationContext, Peer, RoleClient, ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[derive(Deserialize)]
struct Options {
    url: String,
    mode: String,
}

/// A line, by its `do`.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Order {
    About,
    List,
    Ping,
    Heard,
    Call { tool: String, arguments: Value },
}

/// What came without being asked for.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    list_changed: usize,
    progress: Vec<(f64, Option<f64>)>,
}

impl Heard {
    fn with<T>(&self, act: impl FnOnce(&mut Said) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientHandler for Heard {
    async fn on_progress(&self, step: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.with(|said| said.progress.push((step.progress, step.total)));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.with(|said| said.list_changed += 1);
    }
}

// On one thread, the SDK's tasks for progress run before whoever waits for the response that came after it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = std::env::args()
        .nth(1)
        .context("usage: asyncmcp-rmcp-peer OPTIONS")?;
    let options: Options = serde_json::from_str(&options)?;
    // An error means that it is installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let heard = Heard::default();
    let transport = StreamableHttpClientTransport::from_uri(options.url);
    let client = heard
        .clone()
        .serve_with_lifecycle(transport, lifecycle(&options.mode))
        .await?;
    say(&json!({"ok": "connected"}));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        say(
            &match obey(client.peer(), &heard, serde_json::from_str(&line)?).await {
                Ok(answer) => json!({"ok": answer}),
                Err(error) => json!({"error": described(&error)}),
            },
        );
    }
    client.cancel().await?;
    Ok(())
}

fn lifecycle(mode: &str) -> ClientLifecycleMode {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    match mode {
        "legacy" => ClientLifecycleMode::Initialize,
        "auto" => ClientLifecycleMode::Auto {
            preferred_versions,
            legacy_version: None,
        },
        _ => ClientLifecycleMode::Discover { preferred_versions },
    }
}

async fn obey(peer: &Peer<RoleClient>, heard: &Heard, order: Order) -> Result<Value, ServiceError> {
    Ok(match order {
        Order::About => about(peer),
        Order::List => json!(peer.list_all_tools().await?),
        Order::Ping => {
            let ping = ClientRequest::PingRequest(PingRequest::default());
            json!(peer.send_request(ping).await?)
        }
        Order::Heard => heard.with(|said| json!({"listChanged": said.list_changed})),
        Order::Call { tool, arguments } => {
            let mut call = CallToolRequestParams::new(tool);
            call.arguments = arguments.as_object().cloned();
            heard.with(|said| said.progress.clear());
            let result = peer.call_tool(call).await?;
            json!({"result": result, "progress": heard.with(|said| said.progress.clone())})
        }
    })
}

fn about(peer: &Peer<RoleClient>) -> Value {
    let about = peer.peer_info();
    let server = about.as_ref().and_then(|about| about.server_info.as_ref());
    json!({
        "version": about.as_ref().map(|about| &about.protocol_version),
        "server": server.map(|server| &server.name),
    })
}

fn described(error: &ServiceError) -> Value {
    match error {
        ServiceError::McpError(error) => json!(error),
        error => json!({"code": null, "message": error.to_string(), "data": null}),
    }
}

#[expect(clippy::print_stdout, reason = "the lines are what the tests read")]
fn say(line: &Value) {
    println!("{line}");
}
