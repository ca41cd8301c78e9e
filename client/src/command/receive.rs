//! `asyncmcp receive`: a webhook receiver that shows what arrives.
//!
//! Invariant: with --count it ends with 0 only if that many deliveries came and no attempt
//! was refused.

use std::net::SocketAddr;
use std::process::ExitCode;

use asyncmcp_client::{Attempt, Outcome, Receiver, ReceiverOptions};
use http::StatusCode;
use serde_json::json;

use super::{KeyArgs, print, stop_signal};

/// The arguments of `asyncmcp receive`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:18081")]
    listen: SocketAddr,
    /// The webhook's path.
    #[arg(long, default_value = "/webhook")]
    path: String,
    /// Fail the first N attempts of each delivery on purpose.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail_first: u32,
    /// The status to fail with.
    #[arg(long, value_name = "STATUS", default_value = "503")]
    fail_status: StatusCode,
    /// End after N deliveries, or with an error at the first refused attempt.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Print a JSON object per attempt, headers and body included.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let options = ReceiverOptions {
        path: args.path.clone(),
        keys: args.keys.keys()?,
        fail_first: args.fail_first,
        fail_status: args.fail_status,
    };
    let is_signed = !options.keys.is_empty();
    let receiver = Receiver::bind(args.listen, options).await?;
    greet(&args, &receiver, is_signed)?;
    tokio::select! {
        ended = show_all(&args, receiver) => ended,
        stopped = stop_signal() => stopped.map(|()| ended_early(&args)),
    }
}

fn greet(args: &Args, receiver: &Receiver, is_signed: bool) -> std::io::Result<()> {
    if args.json {
        return print::line(json!({"listening": receiver.url()}));
    }
    let checks = if is_signed {
        "verifying every signature"
    } else {
        "no --secret given: nothing is verified"
    };
    print::line(format!("listening on {} ({checks})", receiver.url()))
}

async fn show_all(args: &Args, mut receiver: Receiver) -> anyhow::Result<ExitCode> {
    let mut deliveries = 0;
    while args.count.is_none_or(|count| deliveries < count) {
        let Some(attempt) = receiver.next().await else {
            break;
        };
        show(args, &attempt)?;
        match attempt.outcome {
            Outcome::Delivered => deliveries += 1,
            Outcome::Refused(_) if args.count.is_some() => return Ok(ExitCode::FAILURE),
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &Args, attempt: &Attempt) -> std::io::Result<()> {
    if args.json {
        return print::line(print::attempt_json(attempt));
    }
    print::line(print::attempt(attempt))?;
    if attempt.outcome == Outcome::Delivered {
        print::line(format!("           {}", print::delivered(attempt)))?;
    }
    Ok(())
}

/// Being stopped is fine for a receiver that was to run on, not for one that was to count.
fn ended_early(args: &Args) -> ExitCode {
    match args.count {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    }
}
