//! `asyncmcp store`: check, export, import and compact a store on this machine's disk.
//!
//! The same functions as `asyncmcp-dataplane store`, which the image has. Invariant: results go to standard output; the exit
//! code is 0 only where nothing is wrong, 1 where something was found, and 2 where the store could not be read or written.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use asyncmcp_delivery::store::redb::offline::{self, Report};
use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{self, Output};
use super::print;

/// The store could not be read or written.
const UNREADABLE: u8 = 2;

/// The arguments of `asyncmcp store`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Cross-check all tables and print counts and findings. Read-only.
    Check(Check),
    /// Print every readable job and session, one JSON object per line; encrypted values stay encrypted. Read-only.
    Export(Place),
    /// Create a new store from the JSON lines of an export on standard input, in a directory without a store.
    Import(Place),
    /// Shrink the store file.
    Compact(Place),
}

#[derive(clap::Args)]
struct Place {
    /// Directory that contains `jobs.redb`. No data plane may be running on it.
    #[arg(long, value_name = "DIR", env = "ASYNCMCP_STATE_DIR")]
    state_dir: PathBuf,
}

#[derive(clap::Args)]
struct Check {
    #[command(flatten)]
    place: Place,
    /// Output format.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&["table", "json", "yaml"]))]
    output: Output,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let done = match &args.command {
        Command::Check(Check { place, output }) => check(&place.state_dir, *output),
        Command::Export(place) => export(&place.state_dir),
        Command::Import(place) => import(&place.state_dir),
        Command::Compact(place) => compact(&place.state_dir),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print::note(format!("error: {error:#}"));
            ExitCode::from(UNREADABLE)
        }
    }
}

/// `true` if nothing was found.
fn check(dir: &Path, output: Output) -> Result<bool> {
    let sealer = offline::sealer_in(dir).context("failed to read the keys of the store")?;
    let report = offline::check(dir, sealer)?;
    match output {
        Output::Json | Output::Yaml => output.document(&document(&report))?,
        Output::Table | Output::Wide | Output::Name => print::line(&report)?,
    }
    Ok(report.findings.is_empty())
}

fn document(report: &Report) -> Value {
    let jobs: serde_json::Map<_, _> = report
        .stages
        .map(|(stage, jobs)| (stage.as_str().to_owned(), jobs.into()))
        .into_iter()
        .collect();
    let keys = report.keys.iter();
    let keys: Vec<Value> = keys
        .map(|(id, values)| json!({"id": id, "values": values}))
        .collect();
    json!({
        "jobs": jobs,
        "bytes": {"rows": report.taken.0, "files": report.taken.1},
        "newestTimeMs": report.high_water.0,
        "keys": keys,
        "findings": report.findings,
    })
}

fn export(dir: &Path) -> Result<bool> {
    let exported = offline::export(dir, &mut BufWriter::new(io::stdout().lock()))?;
    print::note(exported);
    Ok(exported.is_whole())
}

fn import(dir: &Path) -> Result<bool> {
    let imported = offline::import(dir, &mut io::stdin().lock())?;
    print::note(&imported);
    if let Some(next) = offline::missing_files(dir) {
        print::note(next);
    }
    Ok(imported.skipped.is_empty())
}

fn compact(dir: &Path) -> Result<bool> {
    let (before, after) = offline::compact(dir)?;
    print::note(format!("shrunk from {before} to {after} bytes"));
    Ok(true)
}
