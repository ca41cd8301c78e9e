//! `make bench-delivery`: how fast, how late and how dear a delivery is, side by side with asyncmcp; with `HOSTILE=1`, how
//! late it is beside a hostile client. `make bench-gateway`: what an ordinary call through the gateway costs.
//!
//! Started by `tests/bench/run`, which builds everything. Invariant: what is measured is a process of its
//! own, the release binary, and the figures of all sides are of one run.

mod book;
mod client;
mod gateway;
mod hostile;
mod json;
mod load;
mod measure;
mod parked;
mod receivers;
mod report;
mod subject;
mod tool;
mod usage;
mod wire;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Parser as _;

use self::book::Book;
use self::measure::{Figures, Side};
use self::receivers::Receivers;
use self::report::Column;
use self::subject::Subject;

/// Bytes of text in arguments and results.
const PAYLOAD: usize = 2048;

/// Measures deliveries.
#[derive(clap::Parser)]
struct Args {
    /// The data plane's release binary.
    #[arg(long)]
    dataplane: PathBuf,
    /// Python of an environment with asyncmcp; without it the data plane is measured alone.
    #[arg(long)]
    python: Option<PathBuf>,
    /// How many parked jobs there are, run by run.
    #[arg(long, value_delimiter = ',', default_value = "0,1000000")]
    parked: Vec<u64>,
    /// How long each load is measured, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Calls under way at full load.
    #[arg(long, default_value_t = 256)]
    lanes: usize,
    /// Measures how late deliveries are beside a hostile client, and nothing else.
    #[arg(long)]
    hostile: bool,
    /// Measures ordinary calls beside those to the server itself, through nginx and to asyncmcp, and nothing else.
    #[arg(long)]
    gateway: bool,
    /// How many sessions and streams are opened for `--gateway` to measure their memory.
    #[arg(long, default_value_t = 1000)]
    sessions: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    if args.hostile {
        let text = hostile::measure(&args.dataplane, Duration::from_secs(args.seconds)).await?;
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    if args.gateway {
        let time = Duration::from_secs(args.seconds);
        let python = args.python.as_deref();
        let text = gateway::measure(&args.dataplane, python, (time, args.sessions)).await?;
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    let mut columns = Vec::new();
    if let Some(python) = &args.python {
        columns.push(asyncmcp(&args, python).await?);
    }
    for jobs in &args.parked {
        columns.push(data_plane(&args, *jobs).await?);
    }
    Ok(std::io::stdout().write_all(report::text(&columns).as_bytes())?)
}

async fn asyncmcp(args: &Args, python: &Path) -> Result<Column> {
    say("asyncmcp");
    let dir = tempfile::tempdir()?;
    let subject = Subject::asyncmcp(python, dir.path()).await?;
    Ok(Column {
        name: "asyncmcp 0.2.1".to_owned(),
        figures: measured(args, subject, false).await?,
        file: 0.0,
    })
}

async fn data_plane(args: &Args, jobs: u64) -> Result<Column> {
    let dir = tempfile::tempdir()?;
    let state = subject::state(dir.path());
    if jobs > 0 {
        say(&format!("parking {jobs} jobs"));
        parked::fill(&state, jobs).await?;
    }
    say(&format!("the data plane with {jobs} parked jobs"));
    let subject = Subject::data_plane(&args.dataplane, dir.path()).await?;
    Ok(Column {
        name: format!("{jobs} parked"),
        figures: measured(args, subject, true).await?,
        file: measure::precise(std::fs::metadata(state.join("jobs.redb"))?.len()),
    })
}

async fn measured(args: &Args, subject: Subject, signed: bool) -> Result<Figures> {
    let book = Book::default();
    let receivers = Receivers::start(&book, signed).await?;
    let loads = (Duration::from_secs(args.seconds), args.lanes);
    Side::new(subject, receivers, book, loads).await?.figures().await
}

/// Says what is under way; the figures come at the end.
fn say(what: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{what} ...");
}
