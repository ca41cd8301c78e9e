//! The `asyncmcp` command: call a tool, receive webhooks, look after jobs, see the whole path once.
//!
//! Run by people, by `make run` and by the end-to-end pods.
//!
//! Invariant: what a program may read goes to standard output, what only a person reads while
//! waiting goes to standard error; the exit code is 0 only if what was asked for happened.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::{call, demo, jobs, print, receive};

/// Calls MCP tools through asyncmcp, receives their webhooks and looks after jobs.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Calls a tool and prints its result, or the acknowledgement of a webhook tool.
    Call(call::Args),
    /// Receives webhooks, verifies them, and prints each attempt.
    Receive(receive::Args),
    /// Sees, replays, stops and cancels jobs of a data plane.
    Jobs(jobs::Args),
    /// Shows a quick tool and a webhook tool against a running data plane.
    Demo(demo::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    // The provider is installed once; a second install is the only way this fails.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match Cli::parse().command {
        Command::Call(args) => call::run(args).await,
        Command::Receive(args) => receive::run(args).await,
        Command::Jobs(args) => jobs::run(args).await,
        Command::Demo(args) => demo::run(args).await,
    };
    ended.unwrap_or_else(|error| {
        // One line with its causes; a backtrace is nothing a caller can act on.
        print::note(format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
