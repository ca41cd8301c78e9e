//! `asyncmcp console`: opens the pages of a data plane in a browser, signed in.
//!
//! Invariant: the token stays here; what the browser gets is a code that is good once and for a minute, in the URL's fragment,
//! which browsers send to nobody. A port that was forwarded stays so until Ctrl-C.

use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::connection::{Connection, Open};
use super::{print, stop_signal};

#[cfg(target_os = "macos")]
const OPENER: &str = "open";
#[cfg(not(target_os = "macos"))]
const OPENER: &str = "xdg-open";

/// The arguments of `asyncmcp console`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Only print the URL.
    #[arg(long)]
    no_open: bool,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let mut open = args.connection.open().await?;
    let code = open.admin.post("/console/codes", None).await;
    let code = code.context("this data plane has no console (it may run with --console off)")?;
    let code = code["code"]
        .as_str()
        .context("the response is not from a console; see --admin")?;
    let url = open.admin.at("/console/sign-in");
    print::line(format!("{url}#code={code}"))?;
    print::note("This URL signs in once, within a minute.");
    if !args.no_open && !can_open(&format!("{url}#code={code}")) {
        print::note("No browser could be started: open the URL yourself.");
    }
    stay(&mut open).await
}

/// Starts a browser. Nothing is said about what it does with the URL.
fn can_open(url: &str) -> bool {
    let mut browser = Command::new(OPENER);
    let quiet = browser
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.spawn().is_ok()
}

/// Keeps a forwarded port open.
async fn stay(open: &mut Open) -> Result<ExitCode> {
    let Some(forwarded) = &mut open.forwarded else {
        return Ok(ExitCode::SUCCESS);
    };
    print::note(format!("{} is forwarded until Ctrl-C.", forwarded.url));
    tokio::select! {
        stopped = stop_signal() => stopped.map(|()| ExitCode::SUCCESS),
        ended = forwarded.ended() => bail!("kubectl port-forward ended ({ended}): run the command again"),
    }
}
