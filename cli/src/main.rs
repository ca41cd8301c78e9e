//! The `asyncmcp` command: calls tools, receives webhooks, manages jobs, derives keys, and runs a demonstration.
//!
//! Run by users, by `make run` and by the pods of the end-to-end tests.
//!
//! Invariant: results go to standard output, progress and errors go to standard error, and the exit code is 0 only if
//! the command did what was asked.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::{
    call, check, completion, console, demo, jobs, keys, print, receive, receivers, status, tools, trial, why,
};

/// What the command's exit codes mean.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed, or the tool reported an error; 2 wrong arguments; 4 no result in time \
                          (call --wait); 78 invalid route (check); 130 interrupted. As `kubectl-asyncmcp` on PATH, it is a plugin \
                          of kubectl.";

/// Call MCP tools through asyncmcp, receive their webhooks and manage jobs.
#[derive(Parser)]
#[command(name = "asyncmcp", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Call a tool and print its result, or the acknowledgement of a webhook tool.
    Call(call::Args),
    /// List the tools of an endpoint, and which of them are delivered by webhook.
    Tools(tools::Args),
    /// Show the state of a data plane: servers, deliveries, keys, what waits.
    Status(status::Args),
    /// Check a route: what it says, what is missing, what to look at.
    Check(check::Args),
    /// Receive webhooks, verify them, and print each attempt.
    Receive(receive::Args),
    /// List, inspect, replay, stop and cancel jobs.
    Jobs(jobs::Args),
    /// Show which receivers get deliveries, which do not and why.
    Receivers(receivers::Args),
    /// Say why nothing has arrived at a receiver, or where a call's result is.
    Why(why::Args),
    /// Send one signed test delivery to a receiver.
    Try(trial::Args),
    /// Open the console of a data plane in a browser, signed in.
    Console(console::Args),
    /// Derive the keys that receivers verify with.
    Keys(keys::Args),
    /// Print a completion script for a shell.
    Completion(completion::Args),
    /// Write the manual pages into a directory.
    Man(completion::ManArgs),
    /// Demonstrate a quick tool and a webhook tool on a running data plane.
    #[command(hide = true)]
    Demo(demo::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    // This fails only if a provider is installed already, and that provider works as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match Cli::parse().command {
        Command::Call(args) => call::run(args).await,
        Command::Tools(args) => tools::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Completion(args) => completion::run::<Cli>(&args),
        Command::Man(args) => completion::man::<Cli>(&args),
        Command::Check(args) => check::run(&args),
        Command::Receive(args) => receive::run(args).await,
        Command::Jobs(args) => jobs::run(args).await,
        Command::Receivers(args) => receivers::run(args).await,
        Command::Why(args) => why::run(args).await,
        Command::Try(args) => trial::run(args).await,
        Command::Console(args) => console::run(args).await,
        Command::Keys(args) => keys::run(&args),
        Command::Demo(args) => demo::run(args).await,
    };
    ended.unwrap_or_else(|error| {
        // One line with all causes. A backtrace would not help the user.
        print::note(format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
