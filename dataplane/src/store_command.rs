//! `asyncmcp-dataplane store`: check, export, import and compact, for an operator's hands.
//!
//! `main` hands the command over. Invariant: what is asked for goes to stdout, words about it to stderr; the
//! exit code is 0 only where nothing is wrong.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use asyncmcp_delivery::store::redb::offline::{self, Report};
use asyncmcp_delivery::store::seal::Sealer;
use clap::{Args, Subcommand};

/// What is done to a store.
#[derive(Clone, Debug, Subcommand)]
pub enum StoreCommand {
    /// Compares every row with every other, prints counts and findings; 1 where there are any. Changes nothing.
    Check(Place),
    /// Prints every job and session that can be read, as JSON lines; sealed values stay sealed. Changes nothing.
    Export(Place),
    /// Makes a new store of the JSON lines on stdin, in a directory that has none.
    Import(Place),
    /// Gives the free pages of the store's file back to its volume.
    Compact(Place),
}

/// Where the store is.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The directory that has `jobs.redb` in it.
    #[arg(long, value_name = "DIR")]
    pub state_dir: PathBuf,
}

/// Does it, and says what became of it.
pub fn run(command: &StoreCommand) -> ExitCode {
    let done = match command {
        StoreCommand::Check(place) => check(&place.state_dir),
        StoreCommand::Export(place) => export(&place.state_dir),
        StoreCommand::Import(place) => import(&place.state_dir),
        StoreCommand::Compact(place) => compact(&place.state_dir),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Says whether nothing was found.
fn check(dir: &Path) -> Result<bool> {
    let keys = dir.join("store.json");
    let sealer = if keys.is_file() {
        Sealer::load(&keys).context("the store's keys")?
    } else {
        Sealer::default()
    };
    let report = offline::check(dir, sealer)?;
    print(&report).context("cannot print")?;
    Ok(report.findings.is_empty())
}

fn print(report: &Report) -> io::Result<()> {
    let (mut out, counts) = (io::stdout().lock(), report.counts);
    for (state, jobs) in [
        ("queued", counts.queued),
        ("running", counts.running),
        ("due", counts.due),
        ("sending", counts.sending),
        ("dead", counts.dead),
    ] {
        writeln!(out, "{state} {jobs}")?;
    }
    writeln!(
        out,
        "bytes of rows {}, of files {}",
        report.taken.0, report.taken.1
    )?;
    writeln!(out, "newest time {}", report.high_water)?;
    for (key, values) in &report.keys {
        writeln!(out, "values sealed with key {key}: {values}")?;
    }
    for finding in &report.findings {
        writeln!(out, "finding: {finding}")?;
    }
    writeln!(out, "findings {}", report.findings.len())
}

fn export(dir: &Path) -> Result<bool> {
    let exported = offline::export(dir, &mut BufWriter::new(io::stdout().lock()))?;
    let (jobs, incomplete, sessions) = (exported.jobs, exported.incomplete, exported.sessions);
    say(&format!(
        "exported {jobs} jobs, {incomplete} of them incomplete, and {sessions} sessions"
    ));
    if exported.damaged {
        say("parts of the store could not be read");
    }
    Ok(!exported.damaged && incomplete == 0)
}

fn import(dir: &Path) -> Result<bool> {
    let imported = offline::import(dir, &mut io::stdin().lock())?;
    for skipped in &imported.skipped {
        say(&format!("skipped {skipped}"));
    }
    let (jobs, sessions) = (imported.jobs, imported.sessions);
    say(&format!("imported {jobs} jobs and {sessions} sessions"));
    Ok(imported.skipped.is_empty())
}

fn compact(dir: &Path) -> Result<bool> {
    let (before, after) = offline::compact(dir)?;
    say(&format!("the file had {before} bytes and has {after}"));
    Ok(true)
}

#[expect(clippy::print_stderr, reason = "a command for people; its words are no log")]
fn say(words: &str) {
    eprintln!("{words}");
}
