//! The `asyncmcp` command: calls tools, receives webhooks, manages jobs, derives keys, and runs a demonstration.
//!
//! Run by users, by `make run` and by the pods of the end-to-end tests.
//!
//! Invariant: results go to standard output, progress and errors go to standard error, and the exit code is 0 only if
//! the command did what was asked.

mod command;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use command::{
    call, check, completion, console, demo, jobs, keys, print, receive, receivers, reference, status, store,
    suggest, tools, trial, why,
};

/// What the command's exit codes mean.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed, the tool reported an error, or something was found (check --strict, store \
                          check); 2 wrong arguments, or a store that cannot be read; 4 no result in time (call --wait); 78 invalid \
                          route (check); 130 interrupted.";

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
    /// Show the state of a data plane: servers, deliveries, keys, and what deliveries wait for.
    Status(status::Args),
    /// Validate a route file, and list what is missing or needs attention.
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
    /// Check, export, import or compact a store on this machine's disk.
    Store(store::Args),
    /// Print a completion script for a shell.
    Completion(completion::Args),
    /// Write the manual pages into a directory.
    Man(completion::ManArgs),
    /// Print the page docs/reference/cli.md.
    #[command(hide = true)]
    Reference,
    /// Demonstrate a quick tool and a webhook tool on a running data plane.
    #[command(hide = true)]
    Demo(demo::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    // This fails only if a provider is installed already, and that provider works as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let Some(meant) = suggest::elsewhere(&error, Cli::command()) else {
            error.exit()
        };
        let _ = error.print(); // standard error is closed, so there is nobody to tell
        print::note(meant);
        std::process::exit(error.exit_code())
    });
    let ended = match cli.command {
        Command::Call(args) => call::run(args).await,
        Command::Tools(args) => tools::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Completion(args) => completion::run::<Cli>(&args),
        Command::Man(args) => completion::man::<Cli>(&args),
        Command::Store(args) => Ok(store::run(&args)),
        Command::Reference => reference::run::<Cli>(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_at_the_wrong_level_is_pointed_to() {
        let meant = |typed: &[&str]| {
            let error = Cli::try_parse_from(typed).err().unwrap();
            suggest::elsewhere(&error, Cli::command())
        };
        assert_eq!(
            meant(&["asyncmcp", "list"]).unwrap(),
            "Did you mean `asyncmcp jobs list`?"
        );
        assert_eq!(
            meant(&["asyncmcp", "rm"]).unwrap(),
            "Did you mean `asyncmcp jobs delete`?"
        );
        let check = "Did you mean `asyncmcp check` or `asyncmcp store check`?";
        assert_eq!(meant(&["asyncmcp", "jobs", "check"]).unwrap(), check);
        assert_eq!(meant(&["asyncmcp", "nonsense"]), None);
        assert_eq!(meant(&["asyncmcp", "jobs", "list", "--nonsense"]), None);
    }

    #[test]
    fn the_page_in_the_documentation_is_of_this_command() {
        let page = include_str!("../../docs/reference/cli.md");
        assert!(
            page.trim_end() == reference::page(Cli::command()).trim_end(),
            "docs/reference/cli.md is stale: run `make generate`"
        );
    }
}
