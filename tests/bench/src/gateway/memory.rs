//! The memory of what is idle: sessions that have three servers' sessions open, and streams.
//!
//! Invariant: sessions have had no request for a minute when they are measured, and are warm: the first tenth of them is not
//! counted.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;

use super::form::Form;
use super::load::{Client, address};
use super::null;
use crate::measure::precise;
use crate::say;
use crate::subject::Subject;
use crate::usage;
use crate::wire::Wire;

/// How long sessions are idle before they are measured.
const IDLE: Duration = Duration::from_mins(1);
/// How many connections are open at once while sessions are opened.
const AT_ONCE: usize = 50;

const ROUTE: &str = r#"apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: bench}
spec:
  servers:
  - {name: one, url: "http://127.0.0.1:ONE/mcp", toolPrefix: a_}
  - {name: two, url: "http://127.0.0.1:TWO/mcp", toolPrefix: b_}
  - {name: three, url: "http://127.0.0.1:THREE/mcp", toolPrefix: c_}
  webhook:
    receivers:
      fromClients: {policy: Allowlist, allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}
  store: {memory: {}}
"#;

/// Bytes.
pub(super) struct Memory {
    /// Of an idle session.
    pub(super) session: f64,
    /// Of an open stream, beside its session.
    pub(super) stream: f64,
}

pub(super) async fn measure(binary: &Path, sessions: usize) -> Result<Memory> {
    say(&format!("the memory of {sessions} sessions and streams"));
    let form = Form::of(false, false);
    let mut route = ROUTE.to_owned();
    for name in ["ONE", "TWO", "THREE"] {
        route = route.replace(name, &null::start(form).await?.to_string());
    }
    let dir = tempfile::tempdir()?;
    let gateway = Subject::with_route(binary, dir.path(), &route).await?;
    open(gateway.port, sessions / 10).await?;
    tokio::time::sleep(IDLE).await;
    let before = usage::memory(gateway.pid())?;
    let ids = open(gateway.port, sessions).await?;
    tokio::time::sleep(IDLE).await;
    let idle = usage::memory(gateway.pid())?;
    let mut streams = Vec::new();
    for id in &ids {
        streams.push(stream(gateway.port, id).await?);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let streaming = usage::memory(gateway.pid())?;
    let each = |more: u64, less: u64| precise(more.saturating_sub(less)) / precise(sessions as u64);
    Ok(Memory {
        session: each(idle, before),
        stream: each(streaming, idle),
    })
}

/// Opens sessions that have called a tool of each server, and closes their connections; says their ids.
async fn open(port: u16, count: usize) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let some = (0..AT_ONCE.min(count - ids.len())).map(|_| one(port));
        ids.extend(try_join_all(some).await?);
    }
    Ok(ids)
}

async fn one(port: u16) -> Result<String> {
    let form = Form::of(false, false);
    let mut client = Client::open(form, port).await?;
    for tool in ["a_work", "b_work", "c_work"] {
        client.call(form, tool, 1).await?;
    }
    Ok(client.session().to_owned())
}

/// A GET stream of the session, of which the head has come.
async fn stream(port: u16, session: &str) -> Result<Wire> {
    let mut wire = Wire::connect_from(address(), port).await?;
    let request = format!(
        "GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\
         mcp-protocol-version: 2025-06-18\r\nmcp-session-id: {session}\r\n\r\n"
    );
    wire.send(request.as_bytes()).await?;
    let head = wire.head().await?;
    anyhow::ensure!(head.starts_with(b"HTTP/1.1 200"), "no stream: {head:?}");
    Ok(wire)
}
