//! `asyncmcp receive`: a webhook receiver that prints every attempt.
//!
//! Invariant: with --count it exits with 0 only if that many deliveries arrived and no attempt was refused.

use std::net::SocketAddr;
use std::process::ExitCode;

use asyncmcp_client::{Attempt, Outcome, Receiver, ReceiverOptions};
use http::StatusCode;
use serde_json::json;

use super::output::{self, Output};
use super::{KeyArgs, explain, print, stop_signal};

/// The arguments of `asyncmcp receive`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to listen on; port 0 picks a free port.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:18081")]
    listen: SocketAddr,
    /// Path of the webhook.
    #[arg(long, default_value = "/webhook")]
    path: String,
    /// Fail the first N attempts of each delivery on purpose.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail_first: u32,
    /// Status of the attempts that fail on purpose.
    #[arg(long, value_name = "STATUS", default_value = "503")]
    fail_status: StatusCode,
    /// Exit after N deliveries, or with an error on the first invalid one.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Output format. json and yaml: one document for each attempt, with its headers and body.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&["table", "json", "yaml"]))]
    output: Output,
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
    let receiver = Receiver::bind(args.listen, options)
        .await
        .map_err(explain::receiver)?;
    greet(&args, &receiver, is_signed)?;
    tokio::select! {
        ended = show_all(&args, receiver) => ended,
        stopped = stop_signal() => stopped.map(|()| ended_early(&args)),
    }
}

fn greet(args: &Args, receiver: &Receiver, is_signed: bool) -> anyhow::Result<()> {
    if !args.output.is_for_people() {
        return args.output.one_more(&json!({"listening": receiver.url()}));
    }
    let checks = if is_signed {
        "verifying signatures"
    } else {
        "signatures are not verified: no --secret-file is given"
    };
    Ok(print::line(format!(
        "listening on {} ({checks})",
        receiver.url()
    ))?)
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

fn show(args: &Args, attempt: &Attempt) -> anyhow::Result<()> {
    if !args.output.is_for_people() {
        return args.output.one_more(&print::attempt_json(attempt));
    }
    print::line(print::attempt(attempt))?;
    if attempt.outcome == Outcome::Delivered {
        print::line(format!("           {}", print::delivered(attempt)))?;
    }
    Ok(())
}

/// A signal is the normal end of a receiver, except with --count.
fn ended_early(args: &Args) -> ExitCode {
    match args.count {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    }
}
