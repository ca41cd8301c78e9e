//! An MCP server with a quick tool and a slow one, for examples and tests.
//!
//! `make run`, the end-to-end pods and the crash tests start it as a process of its own.
//!
//! Invariant: nothing in it knows of asyncmcp; it is any server of anyone.

mod journal;
mod tools;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::signal::unix::{SignalKind, signal};

use crate::journal::Journal;
use crate::tools::Tools;

/// An MCP server (Streamable HTTP at /mcp) with the tools echo, `process_batch` and fail.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:18080")]
    listen: SocketAddr,
    /// A host name that requests may have in their Host header, beside the loopback ones.
    #[arg(long = "allow-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Accept any Host header: for pods, where the Service's name is the host.
    #[arg(long)]
    allow_any_host: bool,
    /// Append a line of JSON {"tool","key"} to this file before a tool runs.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let journal = Journal::open(args.journal.as_deref()).context("failed to open the journal")?;
    let tools = Tools::new(journal);
    let mcp = StreamableHttpService::new(
        move || Ok(tools.clone()),
        LocalSessionManager::default().into(),
        config(&args),
    );
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("failed to listen on {}", args.listen))?;
    announce(listener.local_addr()?);
    let app = axum::Router::new().route_service("/mcp", mcp);
    tokio::select! {
        served = axum::serve(listener, app) => served.context("failed to serve"),
        stopped = stop_signal() => stopped,
    }
}

fn config(args: &Args) -> StreamableHttpServerConfig {
    let config = StreamableHttpServerConfig::default();
    if args.allow_any_host {
        return config.disable_allowed_hosts();
    }
    let hosts = [config.allowed_hosts.clone(), args.allowed_hosts.clone()].concat();
    config.with_allowed_hosts(hosts)
}

#[expect(clippy::print_stdout, reason = "tests and people read the address from here")]
fn announce(address: SocketAddr) {
    println!("listening on http://{address}/mcp");
}

/// Ends the process at once; an example has nothing to drain.
async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
