//! An MCP server with a quick tool and a slow one, for examples and tests.
//!
//! Started as a separate process by `make run`, the end-to-end tests and the crash tests.
//!
//! Invariant: it knows nothing about asyncmcp, like any other MCP server.

mod journal;
mod tls;
mod token;
mod tools;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use clap::Parser;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::journal::Journal;
use crate::tls::Tls;
use crate::tools::Tools;

/// An example MCP server (Streamable HTTP at /mcp) with a quick tool, a slow tool and a failing tool.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 picks a free port.
    #[arg(long, default_value = "127.0.0.1:18080")]
    listen: SocketAddr,
    /// Allowed host name in the Host header, in addition to loopback names (repeatable).
    #[arg(long = "allow-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Allow any Host header. For pods, where the host is the Service's name.
    #[arg(long)]
    allow_any_host: bool,
    /// File to append a JSON line {"tool","key"} to before a tool runs.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Directory with `tls.crt` and `tls.key`: speak TLS. A changed certificate takes effect with the next connection.
    #[arg(long, value_name = "DIR")]
    tls_dir: Option<PathBuf>,
    /// File with bearer tokens, one on each line: refuse requests without one of them. A change takes effect at once.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
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
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("failed to listen on {}", args.listen))?;
    announce(&args, listener.local_addr()?);
    let app = Router::new().route_service("/mcp", mcp);
    let app = match args.token_file.clone() {
        Some(file) => app.layer(from_fn(move |request: Request, next: Next| {
            let checked = token::check(&file, request.headers());
            async move {
                match checked {
                    Ok(()) => next.run(request).await,
                    Err(refusal) => *refusal,
                }
            }
        })),
        None => app,
    };
    tokio::select! {
        served = serve(&args, listener, app) => served.context("failed to serve"),
        stopped = stop_signal() => stopped,
    }
}

async fn serve(args: &Args, listener: TcpListener, app: Router) -> anyhow::Result<()> {
    match &args.tls_dir {
        Some(dir) => axum::serve(Tls::new(listener, dir)?, app).await?,
        None => axum::serve(listener, app).await?,
    }
    Ok(())
}

fn config(args: &Args) -> StreamableHttpServerConfig {
    let config = StreamableHttpServerConfig::default();
    if args.allow_any_host {
        return config.disable_allowed_hosts();
    }
    let hosts = [config.allowed_hosts.clone(), args.allowed_hosts.clone()].concat();
    config.with_allowed_hosts(hosts)
}

#[expect(clippy::print_stdout, reason = "tests and users read the address from it")]
fn announce(args: &Args, address: SocketAddr) {
    let scheme = if args.tls_dir.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{address}/mcp");
}

/// Returns on Ctrl-C or SIGTERM. The process then exits at once; an example has nothing to drain.
async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
