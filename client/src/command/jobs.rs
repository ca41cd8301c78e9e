//! `asyncmcp jobs`: sees, understands, replays, stops and cancels jobs through the admin port.
//!
//! Invariant: standard output gets the answer, as a table or as one JSON document; the exit code is 0 only if
//! everything that was asked for was done.

mod admin;
mod filter;
mod show;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use self::admin::Admin;
use self::filter::Filter;
use super::print;

/// Jobs that one request of a bulk replay may move.
const BULK: u64 = 500;

/// The arguments of `asyncmcp jobs`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The admin port of a data plane.
    #[arg(
        long,
        global = true,
        env = "ASYNCMCP_ADMIN",
        default_value = "http://127.0.0.1:9464",
        value_name = "URL"
    )]
    admin: String,
    /// The file with the admin token: `adminToken` in the data plane's --state-dir.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The admin token itself: key `adminToken` of the Secret `<route>-keys`.
    #[arg(
        long,
        global = true,
        env = "ASYNCMCP_ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
    /// How the answer is written.
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// As the jobs API has it.
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Lists jobs by acceptance, and dead letters by when they died.
    List(List),
    /// Shows a job, its attempts and what was wrong with them.
    Show(Show),
    /// Has dead or stopped deliveries tried again: same webhook-id, new signature, new budget.
    Replay(Replay),
    /// Stops deliveries: no further attempt, until they are replayed.
    Stop(Ids),
    /// Cancels calls that have not ended; their receivers are told so.
    Cancel(Ids),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// Which come first.
    #[arg(long, default_value = "newest", value_parser = ["newest", "oldest"])]
    order: String,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(clap::Args)]
struct Show {
    /// The job's id.
    id: String,
    /// Prints what is delivered instead, byte for byte.
    #[arg(long)]
    result: bool,
}

#[derive(clap::Args)]
struct Replay {
    /// The jobs' ids.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// All dead letters, or those of a filter.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
}

#[derive(clap::Args)]
struct Ids {
    /// The jobs' ids.
    #[arg(required = true)]
    ids: Vec<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let admin = Admin::new(&args.admin, args.token, args.token_file.as_deref())?;
    match args.command {
        Command::List(list) => list_jobs(&admin, list, args.output).await,
        Command::Show(show) => show_job(&admin, show, args.output).await,
        Command::Replay(replay) if replay.all => replay_all(&admin, replay.filter, args.output).await,
        Command::Replay(replay) if !replay.filter.is_empty() => {
            bail!("a filter goes with --all, not with ids")
        }
        Command::Replay(Replay { ids, .. }) => act(&admin, &ids, ("replay", "replayed"), args.output).await,
        Command::Stop(Ids { ids }) => act(&admin, &ids, ("stop", "stopped"), args.output).await,
        Command::Cancel(Ids { ids }) => act(&admin, &ids, ("cancel", "cancelled"), args.output).await,
    }
}

/// Pages until there are enough: a page may be empty although more follow.
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
        print::note("there may be more; see --limit");
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_job(admin: &Admin, show: Show, output: Output) -> anyhow::Result<ExitCode> {
    let path = format!("/jobs/{}", path_part(&show.id)?);
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

async fn replay_all(admin: &Admin, filter: Filter, output: Output) -> anyhow::Result<ExitCode> {
    let (mut replayed, mut cursor) = (0, Value::Null);
    loop {
        let body = json!({"filter": filter.object(), "limit": BULK, "cursor": cursor});
        let page = admin.post("/jobs/replay", Some(&body)).await?;
        replayed += page["replayed"].as_u64().unwrap_or_default();
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
        print::note(format!("{replayed} so far"));
    }
    match output {
        Output::Json => print::line(json!({"replayed": replayed}))?,
        Output::Table => print::line(format!("{replayed} replayed"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Does it to each job; goes on after one that it cannot be done to, and fails in the end.
async fn act(
    admin: &Admin,
    ids: &[String],
    (verb, done): (&str, &str),
    output: Output,
) -> anyhow::Result<ExitCode> {
    let (mut jobs, mut failed) = (Vec::new(), false);
    for id in ids {
        match admin
            .post(&format!("/jobs/{}/{verb}", path_part(id)?), None)
            .await
        {
            Ok(job) => jobs.push(job),
            Err(error) => {
                failed = true;
                print::note(format!("error: {id}: {error:#}"));
            }
        }
    }
    match output {
        Output::Json => print::line(json!({"jobs": jobs}))?,
        Output::Table => {
            for job in &jobs {
                let (id, state) = (show::text(&job["id"]), show::text(&job["state"]));
                print::line(format!("{id} {done}, it is {state} now"))?;
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// An id as a part of a path: nothing else may get into one.
fn path_part(id: &str) -> anyhow::Result<&str> {
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(id);
    }
    bail!("{id:?} is no job id; `asyncmcp jobs list` shows them")
}
