//! `asyncmcp-dataplane store`: check, export, import and compact, for administrators.
//!
//! `main` hands the command over. Invariant: output goes to stdout, messages about it to stderr; the
//! exit code is 0 only where nothing is wrong.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use asyncmcp_delivery::key_file::KeyFile;
use asyncmcp_delivery::store::redb::offline::{self, Report};
use asyncmcp_delivery::store::seal::Sealer;
use clap::{Args, Subcommand};

/// What is done to a store.
#[derive(Clone, Debug, Subcommand)]
pub enum StoreCommand {
    /// Cross-check all tables and print counts and findings. Exits 1 if there are any. Read-only.
    Check(Place),
    /// Print every readable job and session, one JSON object per line; encrypted values stay encrypted. Read-only.
    Export(Place),
    /// Create a new store from the JSON lines on stdin, in a directory without one. It needs the `store.json` of the exported
    /// store beside it to be read.
    Import(Place),
    /// Shrink the store file.
    Compact(Place),
}

/// The store.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Directory that contains `jobs.redb`.
    #[arg(long, value_name = "DIR")]
    pub state_dir: PathBuf,
}

/// Runs the command and reports the outcome.
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

/// `true` if nothing was found.
fn check(dir: &Path) -> Result<bool> {
    let keys = dir.join("store.json");
    let sealer = if keys.is_file() {
        KeyFile::load(&keys)
            .map(Sealer::of_file)
            .context("the store's keys")?
    } else {
        Sealer::default()
    };
    let report = offline::check(dir, sealer)?;
    print(&report).context("failed to print")?;
    Ok(report.findings.is_empty())
}

fn print(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (stage, jobs) in report.stages {
        writeln!(out, "{} {jobs}", stage.as_str())?;
    }
    let all: u64 = report.stages.iter().map(|(_, jobs)| jobs).sum();
    writeln!(out, "jobs {all}")?;
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
    if !dir.join("store.json").exists() {
        say(&format!(
            "now copy store.json, and clock.json if there is one, from the directory of the exported store to {}: without \
             store.json nothing can be decrypted, and no data plane starts",
            dir.display()
        ));
    }
    Ok(imported.skipped.is_empty())
}

fn compact(dir: &Path) -> Result<bool> {
    let (before, after) = offline::compact(dir)?;
    say(&format!("shrunk from {before} to {after} bytes"));
    Ok(true)
}

#[expect(
    clippy::print_stderr,
    reason = "a command for people; its messages are not a log"
)]
fn say(words: &str) {
    eprintln!("{words}");
}
