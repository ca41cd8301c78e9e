//! The `asyncmcp` command: calls tools, receives webhooks, manages jobs, derives keys, and runs a demonstration.
//!
//! Run by users, by `make run` and by the pods of the end-to-end tests.
//!
//! Invariant: results go to standard output, progress and errors go to standard error, and the exit code is 0 only if
//! the command did what was asked.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::{call, demo, jobs, keys, print, receive};

/// Call MCP tools through asyncmcp, receive their webhooks and manage jobs.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Call a tool and print its result, or the acknowledgement of a webhook tool.
    Call(call::Args),
    /// Receive webhooks, verify them, and print each attempt.
    Receive(receive::Args),
    /// List, inspect, replay, stop and cancel jobs.
    Jobs(jobs::Args),
    /// Derive the keys that receivers verify with.
    Keys(keys::Args),
    /// Demonstrate a quick tool and a webhook tool on a running data plane.
    Demo(demo::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    // This fails only if a provider is installed already, and that provider works as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match Cli::parse().command {
        Command::Call(args) => call::run(args).await,
        Command::Receive(args) => receive::run(args).await,
        Command::Jobs(args) => jobs::run(args).await,
        Command::Keys(args) => keys::run(&args),
        Command::Demo(args) => demo::run(args).await,
    };
    ended.unwrap_or_else(|error| {
        // One line with all causes. A backtrace would not help the user.
        print::note(format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
