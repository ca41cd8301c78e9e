//! `asyncmcp jobs list`: jobs by a filter, once or over and over.
//!
//! Invariant: pages are read until there are enough jobs; a page may be empty although more follow.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use super::filter::Filter;
use super::{Output, print, show};
use crate::command::admin::Admin;
use crate::command::stop_signal;

/// Between two looks of --watch.
const LOOK: Duration = Duration::from_secs(2);

/// The arguments.
#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Sort order.
    #[arg(long, default_value = "newest", value_parser = ["newest", "oldest"])]
    order: String,
    /// Maximum number of jobs.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Continue after the last job of an earlier list, which printed this cursor. With the same filter and order.
    #[arg(long, value_name = "CURSOR", conflicts_with = "watch")]
    cursor: Option<String>,
    /// Keep watching, and print a job again whenever it changes, until Ctrl-C.
    #[arg(short, long)]
    watch: bool,
}

/// Jobs, whether there are more, and after what those follow.
struct Found {
    jobs: Vec<Value>,
    is_cut: bool,
    cursor: Option<String>,
}

pub(super) async fn run(admin: &Admin, list: List, output: Output) -> anyhow::Result<ExitCode> {
    if list.watch {
        ensure!(output.is_for_people(), "--watch writes a table; leave out -o");
        return tokio::select! {
            ended = watch(admin, &list, output) => ended,
            stopped = stop_signal() => stopped.map(|()| ExitCode::SUCCESS),
        };
    }
    let Found { jobs, is_cut, cursor } = find(admin, &list).await?;
    match output {
        Output::Json | Output::Yaml => output.document(&json!({"jobs": jobs, "cursor": cursor}))?,
        Output::Name => Output::names(&jobs, "id")?,
        Output::Table | Output::Wide if jobs.is_empty() => print::note("no jobs found"),
        Output::Table | Output::Wide => print::line(show::list(&jobs, output == Output::Wide))?,
    }
    match cursor {
        Some(cursor) => print::note(format!(
            "there may be more jobs: add `--cursor {cursor}` to continue, or raise --limit"
        )),
        None if is_cut => {
            print::note("there may be more jobs: raise --limit, or name one --state and use --cursor");
        }
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn watch(admin: &Admin, list: &List, output: Output) -> anyhow::Result<ExitCode> {
    let mut known: HashMap<String, Value> = HashMap::new();
    let mut is_first = true;
    loop {
        let jobs = find(admin, list).await?.jobs;
        let changed: Vec<Value> = jobs
            .into_iter()
            .filter(|job| known.insert(print::text(&job["id"]), job.clone()).as_ref() != Some(job))
            .collect();
        if is_first || !changed.is_empty() {
            let table = show::list(&changed, output == Output::Wide);
            let rows = table.split_once('\n').map_or("", |(_, rows)| rows);
            print::line(if is_first { &table } else { rows })?;
        }
        is_first = false;
        tokio::time::sleep(LOOK).await;
    }
}

/// The jobs of each state that is asked for. Those of several states have no common cursor.
async fn find(admin: &Admin, list: &List) -> anyhow::Result<Found> {
    let filters = list.filter.of_each_state();
    if let [filter] = filters.as_slice() {
        return pages(admin, filter, list).await;
    }
    ensure!(
        list.cursor.is_none(),
        "--cursor: name one --state with it, the one of the list before"
    );
    let mut found = Found {
        jobs: Vec::new(),
        is_cut: false,
        cursor: None,
    };
    for filter in filters {
        let mut of_state = pages(admin, &filter, list).await?;
        found.jobs.append(&mut of_state.jobs);
        found.is_cut |= of_state.is_cut;
    }
    // An id begins with the time of acceptance.
    found.jobs.sort_by_key(|job| print::text(&job["id"]));
    if list.order == "newest" {
        found.jobs.reverse();
    }
    let limit = list.limit as usize;
    found.is_cut |= found.jobs.len() > limit;
    found.jobs.truncate(limit);
    Ok(found)
}

async fn pages(admin: &Admin, filter: &[(&'static str, String)], list: &List) -> anyhow::Result<Found> {
    let (mut jobs, mut cursor) = (Vec::new(), list.cursor.clone());
    let wanted = list.limit as usize;
    loop {
        let mut query = filter.to_vec();
        query.push(("order", list.order.clone()));
        query.push(("limit", (wanted - jobs.len()).min(500).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = admin.get("/jobs", &query).await?;
        if let Some(found) = page["jobs"].as_array_mut() {
            jobs.append(found);
        }
        cursor = page["cursor"].as_str().map(str::to_owned);
        let is_cut = cursor.is_some();
        if !is_cut || jobs.len() >= wanted {
            return Ok(Found { jobs, is_cut, cursor });
        }
    }
}
