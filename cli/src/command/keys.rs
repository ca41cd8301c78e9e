//! `asyncmcp keys`: the keys of receivers that clients name.
//!
//! A route signs for its own receiver (`webhook.receivers.default`) with its keys. For a receiver that a client names
//! without a secret, it signs with a key that is derived from each of them and is of no use at another origin.
//!
//! Invariant: one derived key per line and nothing else is written to standard output.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Subcommand;
use serde_json::json;
use url::Url;

use super::output::{self, Output};
use super::{KeyArgs, http_url, print};

/// The arguments of `asyncmcp keys`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the key with which a receiver that clients name verifies the route's deliveries, one per key of the route.
    Derive(Derive),
}

#[derive(clap::Args)]
struct Derive {
    /// Scheme, host and port of the receiver, as clients name it; a path is ignored.
    #[arg(long, value_name = "ORIGIN", value_parser = http_url)]
    origin: String,
    /// Output format.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&["table", "json", "yaml"]))]
    output: Output,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Command::Derive(derive) = &args.command;
    let keys = derive.keys.keys()?;
    ensure!(!keys.is_empty(), "missing --secret-file: the route's signing key");
    let receiver = Url::parse(&derive.origin)?;
    let derived: Vec<String> = keys
        .iter()
        .map(|key| key.for_receiver(&receiver).whsec())
        .collect();
    if derive.output.is_for_people() {
        derived.iter().try_for_each(print::line)?;
    } else {
        derive.output.document(&json!({"keys": derived}))?;
    }
    Ok(ExitCode::SUCCESS)
}
