//! Commands for all jobs that match a filter: replay, deletion, and how many there are.
//!
//! Invariant: jobs are deleted only on request; each request changes a bounded number, and following the cursor ends.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::filter::Filter;
use super::{Output, print};
use crate::command::admin::Admin;

/// Jobs per request.
const BULK: u64 = 500;

/// What would be done to all jobs of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Replay,
    Delete,
}

/// Queues dead letters, or stopped deliveries, for another round of attempts. A person at a terminal is asked first.
pub(super) async fn replay(
    admin: &Admin,
    filter: &Filter,
    yes: bool,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if !yes && io::stdin().is_terminal() {
        let count = number(admin, filter).await?;
        if !is_agreed(&format!("{count} deliveries will be queued for replay"))? {
            print::note("nothing was done");
            return Ok(ExitCode::FAILURE);
        }
    }
    let done = all(admin, filter, ("/jobs/replay", "replayed", "queued for replay")).await?;
    show(output, "replayed", done, "queued for replay")
}

/// Deletes dead letters, or jobs in another final state.
pub(super) async fn delete(admin: &Admin, filter: &Filter, output: Output) -> anyhow::Result<ExitCode> {
    let done = all(admin, filter, ("/jobs/delete", "deleted", "deleted")).await?;
    show(output, "deleted", done, "deleted")
}

/// Counts what would be done.
pub(super) async fn count(
    admin: &Admin,
    filter: &Filter,
    what: Bulk,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let count = number(admin, filter).await?;
    let done = match what {
        Bulk::Replay => "would be queued for replay",
        Bulk::Delete => {
            print::note("nothing was deleted; add --yes to delete them");
            "would be deleted"
        }
    };
    show(output, "matching", count, done)
}

fn is_agreed(what: &str) -> io::Result<bool> {
    print::note(format!("{what}; continue? [y/N]"));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// How many jobs match the filter: dead letters, unless it names another state.
async fn number(admin: &Admin, filter: &Filter) -> anyhow::Result<u64> {
    let (mut count, mut cursor) = (0, None::<String>);
    loop {
        let mut query = filter.pairs_of("dead")?;
        query.push(("limit", BULK.to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = admin.get("/jobs", &query).await?;
        count += page["jobs"].as_array().map_or(0, |jobs| jobs.len() as u64);
        cursor = page["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(count);
        }
    }
}

/// Posts to `path` until there are no more; `field` of each answer is how many jobs it changed.
async fn all(admin: &Admin, filter: &Filter, (path, field, done): (&str, &str, &str)) -> anyhow::Result<u64> {
    let (mut changed, mut cursor) = (0, Value::Null);
    loop {
        let body = json!({"filter": filter.object()?, "limit": BULK, "cursor": cursor});
        let page = admin.post(path, Some(&body)).await?;
        changed += page[field].as_u64().unwrap_or_default();
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            return Ok(changed);
        }
        print::note(format!("{changed} {done} so far"));
    }
}

fn show(output: Output, field: &str, count: u64, done: &str) -> anyhow::Result<ExitCode> {
    match output {
        Output::Json | Output::Yaml => output.document(&json!({field: count}))?,
        Output::Table | Output::Wide | Output::Name => print::line(format!("{count} {done}"))?,
    }
    Ok(ExitCode::SUCCESS)
}
