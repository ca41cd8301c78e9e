//! `asyncmcp-dataplane store`: check, export, import and compact, for administrators.
//!
//! `main` hands the command over. Invariant: output goes to stdout, messages about it to stderr; the
//! exit code is 0 only where nothing is wrong.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use asyncmcp_delivery::store::redb::offline;
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
    let sealer = offline::sealer_in(dir).context("failed to read the keys of the store")?;
    let report = offline::check(dir, sealer)?;
    writeln!(io::stdout().lock(), "{report}").context("failed to print")?;
    Ok(report.findings.is_empty())
}

fn export(dir: &Path) -> Result<bool> {
    let exported = offline::export(dir, &mut BufWriter::new(io::stdout().lock()))?;
    say(&exported.to_string());
    Ok(exported.is_whole())
}

fn import(dir: &Path) -> Result<bool> {
    let imported = offline::import(dir, &mut io::stdin().lock())?;
    say(&imported.to_string());
    if let Some(next) = offline::missing_files(dir) {
        say(&next);
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
