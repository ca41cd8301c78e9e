//! The subcommands, one file each, and the two things they share.
//!
//! Called by `main`.
//!
//! Invariant: a subcommand ends by itself or on Ctrl-C or SIGTERM, never hangs.

pub(crate) mod call;
pub(crate) mod demo;
pub(crate) mod jobs;
pub(crate) mod print;
pub(crate) mod receive;

use std::path::PathBuf;

use anyhow::Context as _;
use asyncmcp_client::signature::Key;
use tokio::signal::unix::{SignalKind, signal};

/// The keys that webhooks may be signed with.
#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    /// A signing key, `whsec_` and base64; any of several will do.
    #[arg(long = "secret", value_name = "KEY")]
    secrets: Vec<String>,
    /// A file that holds a signing key.
    #[arg(long = "secret-file", value_name = "FILE")]
    secret_files: Vec<PathBuf>,
}

impl KeyArgs {
    /// All keys, from the command line and from files.
    pub(crate) fn keys(&self) -> anyhow::Result<Vec<Key>> {
        let mut keys = Vec::new();
        for secret in &self.secrets {
            keys.push(Key::parse(secret).context("--secret")?);
        }
        for file in &self.secret_files {
            let name = || format!("--secret-file {}", file.display());
            let text = std::fs::read_to_string(file).with_context(name)?;
            keys.push(Key::parse(&text).with_context(name)?);
        }
        Ok(keys)
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
