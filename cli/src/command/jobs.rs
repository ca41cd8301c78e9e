//! `asyncmcp jobs`: lists, shows, replays, stops, cancels and deletes jobs through the admin port.
//!
//! Invariant: the result is written to standard output, as a table or as one JSON document; the exit code is 0 only if
//! the whole command succeeded.

mod admin;
mod bulk;
mod filter;
mod ids;
mod show;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use self::admin::Admin;
use self::filter::Filter;
use super::{http_url, print};

/// The arguments of `asyncmcp jobs`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// URL of a data plane's admin port.
    #[arg(
        long,
        global = true,
        env = "ASYNCMCP_ADMIN",
        default_value = "http://127.0.0.1:9464",
        value_name = "URL",
        value_parser = http_url,
        help_heading = "Connection"
    )]
    admin: String,
    /// File that contains the admin token: `adminToken` in the data plane's --state-dir. Takes precedence over --token.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    token_file: Option<PathBuf>,
    /// Admin token: the key `adminToken` of the Secret `<route>-keys`. Visible in the process list; prefer the variable.
    #[arg(
        long,
        global = true,
        env = "ASYNCMCP_ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Connection"
    )]
    token: Option<String>,
    /// Output format.
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Human-readable.
    Table,
    /// The response of the jobs API.
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// List jobs by time of acceptance, or dead letters by time of death.
    List(List),
    /// Show a job and its attempts with their errors.
    Show(Show),
    /// Replay dead or stopped deliveries: same webhook-id, new signature, new retries.
    Replay(Replay),
    /// Stop deliveries: no further attempts until they are replayed.
    Stop(Ids),
    /// Cancel calls that are queued or running; their receivers get an error.
    Cancel(Ids),
    /// Delete jobs that are over (dead, stopped, delivered or ended), with their results.
    Delete(Delete),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// Sort order.
    #[arg(long, default_value = "newest", value_parser = ["newest", "oldest"])]
    order: String,
    /// Maximum number of jobs.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(clap::Args)]
struct Show {
    /// Id of the job, or the webhook-id of its attempts.
    id: String,
    /// Print the delivered body instead, unmodified.
    #[arg(long)]
    result: bool,
}

#[derive(clap::Args)]
struct Replay {
    /// Ids of the jobs, or the webhook-ids of their attempts.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Replay all dead letters that match the filter, or all if there is no filter.
    #[arg(long)]
    all: bool,
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
    let admin = Admin::new(&args.admin, args.token, args.token_file.as_deref())?;
    match args.command {
        Command::List(list) => list_jobs(&admin, list, args.output).await,
        Command::Show(show) => show_job(&admin, show, args.output).await,
        Command::Replay(replay) if replay.all => bulk::replay(&admin, &replay.filter, args.output).await,
        Command::Delete(Delete {
            all: true,
            yes: true,
            filter,
            ..
        }) => bulk::delete(&admin, &filter, args.output).await,
        Command::Delete(Delete {
            all: true, filter, ..
        }) => bulk::count(&admin, &filter, args.output).await,
        Command::Replay(Replay { filter, .. }) | Command::Delete(Delete { filter, .. })
            if !filter.is_empty() =>
        {
            bail!("filters cannot be combined with ids; use --all")
        }
        Command::Replay(Replay { ids, .. }) => {
            act(&admin, &ids, ("replay", "queued for replay"), args.output).await
        }
        Command::Stop(Ids { ids }) => act(&admin, &ids, ("stop", "stopped"), args.output).await,
        Command::Delete(Delete { ids, .. }) => delete(&admin, &ids, args.output).await,
        Command::Cancel(Ids { ids }) => act(&admin, &ids, ("cancel", "cancelled"), args.output).await,
    }
}

/// Reads pages until there are enough jobs. A page may be empty although more pages follow.
async fn list_jobs(admin: &Admin, list: List, output: Output) -> anyhow::Result<ExitCode> {
    let (mut jobs, mut cursor) = (Vec::new(), None::<String>);
    let wanted = list.limit as usize;
    loop {
        let mut query = list.filter.pairs();
        query.push(("order", list.order.clone()));
        query.push(("limit", (wanted - jobs.len()).min(500).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = admin.get("/jobs", &query).await?;
        if let Some(found) = page["jobs"].as_array_mut() {
            jobs.append(found);
        }
        cursor = page["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() || jobs.len() >= wanted {
            break;
        }
    }
    match output {
        Output::Json => print::line(json!({"jobs": jobs, "cursor": cursor}))?,
        Output::Table => print::line(show::list(&jobs))?,
    }
    if cursor.is_some() {
        print::note("there may be more jobs; see --limit");
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_job(admin: &Admin, show: Show, output: Output) -> anyhow::Result<ExitCode> {
    let path = format!("/jobs/{}", ids::job(admin, &show.id).await?);
    if show.result {
        print::line(admin.text(&format!("{path}/result")).await?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let job = admin.get(&path, &[]).await?;
    match output {
        Output::Json => print::line(job)?,
        Output::Table => print::line(show::job(&job))?,
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
        Output::Json => print::line(json!({"jobs": jobs}))?,
        Output::Table => {
            for job in &jobs {
                let (id, state) = (show::text(&job["id"]), show::text(&job["state"]));
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
        Output::Json => print::line(json!({"deleted": deleted}))?,
        Output::Table => {
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
