//! Commands for all jobs that match a filter: replay, deletion, and how many there are.
//!
//! Invariant: jobs are deleted only on request; each request changes a bounded number, and following the cursor ends.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::admin::Admin;
use super::filter::Filter;
use super::{Output, print};

/// Jobs per request.
const BULK: u64 = 500;

/// Queues dead letters, or stopped deliveries, for another round of attempts.
pub(super) async fn replay(admin: &Admin, filter: &Filter, output: Output) -> anyhow::Result<ExitCode> {
    let done = all(admin, filter, ("/jobs/replay", "replayed", "queued for replay")).await?;
    show(output, "replayed", done, "queued for replay")
}

/// Deletes dead letters, or jobs in another final state.
pub(super) async fn delete(admin: &Admin, filter: &Filter, output: Output) -> anyhow::Result<ExitCode> {
    let done = all(admin, filter, ("/jobs/delete", "deleted", "deleted")).await?;
    show(output, "deleted", done, "deleted")
}

/// Counts what [`delete`] would delete.
pub(super) async fn count(admin: &Admin, filter: &Filter, output: Output) -> anyhow::Result<ExitCode> {
    let (mut count, mut cursor) = (0, None::<String>);
    loop {
        let mut query = filter.pairs_of("dead");
        query.push(("limit", BULK.to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = admin.get("/jobs", &query).await?;
        count += page["jobs"].as_array().map_or(0, |jobs| jobs.len() as u64);
        cursor = page["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    print::note("nothing was deleted; add --yes to delete them");
    show(output, "matching", count, "would be deleted")
}

/// Posts to `path` until there are no more; `field` of each answer is how many jobs it changed.
async fn all(admin: &Admin, filter: &Filter, (path, field, done): (&str, &str, &str)) -> anyhow::Result<u64> {
    let (mut changed, mut cursor) = (0, Value::Null);
    loop {
        let body = json!({"filter": filter.object(), "limit": BULK, "cursor": cursor});
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
        Output::Json => print::line(json!({field: count}))?,
        Output::Table => print::line(format!("{count} {done}"))?,
    }
    Ok(ExitCode::SUCCESS)
}
