//! `asyncmcp jobs`: lists, shows, replays, stops, cancels and deletes jobs through the admin port.
//!
//! Invariant: the result is written to standard output, as a table or as one JSON document; the exit code is 0 only if
//! the whole command succeeded.

mod bulk;
mod filter;
mod ids;
mod list;
mod show;

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use self::bulk::Bulk;
use self::filter::Filter;
use self::list::List;
use super::admin::Admin;
use super::connection::Connection;
use super::output::{self, Output};
use super::print;

const EXAMPLES: &str = "Examples:
  asyncmcp jobs list --state dead,stopped --since 1h
  asyncmcp jobs list -n tools --route analytics -o wide
  asyncmcp jobs replay --all --receiver hooks.example.com --dry-run";

/// The arguments of `asyncmcp jobs`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Output format. wide: more columns; name: ids alone.
    #[arg(short, long, global = true, default_value = "table", value_parser = output::one_of(&output::ALL))]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List jobs by time of acceptance, or dead letters by time of death.
    #[command(visible_alias = "ls")]
    List(List),
    /// Show a job, what it waits for, and its attempts with their errors.
    #[command(visible_alias = "get", aliases = ["describe", "view"])]
    Show(Show),
    /// Replay dead or stopped deliveries: same webhook-id, new signature, new retries.
    Replay(Replay),
    /// Stop deliveries: no further attempts until they are replayed.
    Stop(Ids),
    /// Cancel calls that are queued or running; their receivers get an error.
    Cancel(Ids),
    /// Delete jobs that are over (dead, stopped, delivered or ended), with their results.
    #[command(alias = "rm")]
    Delete(Delete),
}

#[derive(clap::Args)]
struct Show {
    /// Id of the job, or the webhook-id of its attempts.
    id: String,
    /// Print the delivered body instead, unmodified.
    #[arg(long)]
    result: bool,
    /// Print the params of the call instead, unmodified; they are kept until it has ended.
    #[arg(long, conflicts_with = "result")]
    request: bool,
}

#[derive(clap::Args)]
struct Replay {
    /// Ids of the jobs, or the webhook-ids of their attempts.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Replay all dead letters that match the filter, or all if there is no filter.
    #[arg(long)]
    all: bool,
    /// With --all: only count the jobs.
    #[arg(long, requires = "all")]
    dry_run: bool,
    /// With --all: do not ask on a terminal.
    #[arg(long, requires = "all")]
    yes: bool,
    #[command(flatten)]
    filter: Filter,
}

#[derive(clap::Args)]
struct Delete {
    /// Ids of the jobs, or the webhook-ids of their attempts.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Delete all dead letters that match the filter, or jobs in the state that it names.
    #[arg(long)]
    all: bool,
    /// With --all: delete. Without it, the jobs are only counted.
    #[arg(long, requires = "all")]
    yes: bool,
    #[command(flatten)]
    filter: Filter,
}

#[derive(clap::Args)]
struct Ids {
    /// Ids of the jobs, or the webhook-ids of their attempts.
    #[arg(required = true)]
    ids: Vec<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let open = args.connection.open().await?;
    let (admin, output) = (&open.admin, args.output);
    match args.command {
        Command::List(list) => list::run(admin, list, output).await,
        Command::Show(show) => show_job(admin, show, output).await,
        Command::Replay(Replay {
            all: true,
            dry_run,
            yes,
            filter,
            ..
        }) => {
            if dry_run {
                bulk::count(admin, &filter, Bulk::Replay, output).await
            } else {
                bulk::replay(admin, &filter, yes, output).await
            }
        }
        Command::Delete(Delete {
            all: true,
            yes,
            filter,
            ..
        }) => {
            if yes {
                bulk::delete(admin, &filter, output).await
            } else {
                bulk::count(admin, &filter, Bulk::Delete, output).await
            }
        }
        Command::Replay(Replay { filter, .. }) | Command::Delete(Delete { filter, .. })
            if !filter.is_empty() =>
        {
            bail!("filters need --all in place of ids: leave out the ids or the filters")
        }
        Command::Replay(Replay { ids, .. }) => {
            act(admin, &ids, ("replay", "queued for replay"), output).await
        }
        Command::Stop(Ids { ids }) => act(admin, &ids, ("stop", "stopped"), output).await,
        Command::Delete(Delete { ids, .. }) => delete(admin, &ids, output).await,
        Command::Cancel(Ids { ids }) => act(admin, &ids, ("cancel", "cancelled"), output).await,
    }
}

async fn show_job(admin: &Admin, show: Show, output: Output) -> anyhow::Result<ExitCode> {
    let path = format!("/jobs/{}", ids::job(admin, &show.id).await?);
    for (is_asked, payload) in [(show.result, "result"), (show.request, "request")] {
        if is_asked {
            print::line(admin.text(&format!("{path}/{payload}")).await?)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let job = admin.get(&path, &[]).await?;
    match output {
        Output::Table | Output::Wide => print::line(show::job(&job))?,
        Output::Name => Output::names(&[job], "id")?,
        Output::Json | Output::Yaml => output.document(&job)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies an action to each job. An error does not stop the others, but makes the command fail at the end.
async fn act(
    admin: &Admin,
    ids: &[String],
    (verb, done): (&str, &str),
    output: Output,
) -> anyhow::Result<ExitCode> {
    let (mut jobs, mut failures) = (Vec::new(), Failures::default());
    for id in ids {
        let job = async {
            admin
                .post(&format!("/jobs/{}/{verb}", ids::job(admin, id).await?), None)
                .await
        };
        jobs.extend(failures.note(id, job.await));
    }
    match output {
        Output::Json | Output::Yaml => output.document(&json!({"jobs": jobs}))?,
        Output::Name => Output::names(&jobs, "id")?,
        Output::Table | Output::Wide => {
            for job in &jobs {
                let (id, state) = (print::text(&job["id"]), print::text(&job["state"]));
                print::line(format!("{id} {done} (state: {state})"))?;
            }
        }
    }
    Ok(failures.code())
}

/// Deletes each job, with the same rule for errors; the response has no body.
async fn delete(admin: &Admin, ids: &[String], output: Output) -> anyhow::Result<ExitCode> {
    let (mut deleted, mut failures) = (Vec::new(), Failures::default());
    for id in ids {
        let job = async {
            admin
                .delete(&format!("/jobs/{}", ids::job(admin, id).await?))
                .await
        };
        deleted.extend(failures.note(id, job.await.map(|()| id)));
    }
    match output {
        Output::Json | Output::Yaml => output.document(&json!({"deleted": deleted}))?,
        Output::Name => deleted.iter().try_for_each(print::line)?,
        Output::Table | Output::Wide => {
            for id in &deleted {
                print::line(format!("{id} deleted"))?;
            }
        }
    }
    Ok(failures.code())
}

/// Whether an action failed for one of several jobs.
#[derive(Default)]
struct Failures(bool);

impl Failures {
    /// What succeeded; an error is printed.
    fn note<T>(&mut self, id: &str, done: anyhow::Result<T>) -> Option<T> {
        done.inspect_err(|error| {
            self.0 = true;
            print::note(format!("error: {id}: {error:#}"));
        })
        .ok()
    }

    fn code(&self) -> ExitCode {
        if self.0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}
