//! The operator's process: flags, logs, signals.
//!
//! Invariant: exit code 0 only after a signal; a replica that loses its leadership exits with 1 and is restarted.

use anyhow::Context;
use asyncmcp_operator::args::{Cli, Command, LogFormat, Run};
use asyncmcp_operator::{rbac, run};
use clap::Parser;
use std::io::Write;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Some(Command::Rbac) = cli.command {
        return Ok(std::io::stdout().write_all(rbac::yaml().as_bytes())?);
    }
    log(&cli.run)?;
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is already installed");
    }
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    run::run(cli.run, stop).await
}

fn log(args: &Run) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_level)
        .with_context(|| format!("invalid --log-level {:?}", args.log_level))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
        LogFormat::Text => subscriber.init(),
    }
    Ok(())
}
