//! The subcommands, one file each, and what they share.
//!
//! Called by `main`.
//!
//! Invariant: a subcommand finishes by itself, or stops on Ctrl-C or SIGTERM.

mod admin;
pub(crate) mod call;
pub(crate) mod check;
mod cluster;
pub(crate) mod completion;
mod connection;
pub(crate) mod demo;
mod endpoint;
mod explain;
pub(crate) mod jobs;
pub(crate) mod keys;
mod output;
pub(crate) mod print;
pub(crate) mod receive;
pub(crate) mod receivers;
pub(crate) mod reference;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod suggest;
mod table;
pub(crate) mod tools;
pub(crate) mod trial;
pub(crate) mod why;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use asyncmcp_client::signature::Key;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

/// The keys that verify webhooks.
#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    /// Signing key: whsec_ followed by base64. Repeatable; a delivery must match one of the keys.
    #[arg(long = "secret", value_name = "KEY")]
    secrets: Vec<String>,
    /// File that contains a signing key. Repeatable.
    #[arg(long = "secret-file", value_name = "FILE")]
    secret_files: Vec<PathBuf>,
}

impl KeyArgs {
    /// Parses all keys, from the command line and from files.
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

/// Checks that an argument is an absolute URL of a server; clap adds the name of the argument to the error.
pub(crate) fn http_url(text: &str) -> Result<String, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        _ => Err("must start with http:// or https://, for example http://127.0.0.1:8080"),
    }
}

/// A span such as 30s, 5m or 2h.
pub(crate) fn span(text: &str) -> Result<Duration, &'static str> {
    let span = text.parse::<asyncmcp_crds::Duration>().map(|span| span.as_std());
    span.ok()
        .filter(|span| !span.is_zero())
        .ok_or("expected a time span above zero, such as 30s, 5m or 1h30m")
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}
