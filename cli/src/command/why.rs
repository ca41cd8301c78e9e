//! `asyncmcp why`: why nothing has arrived at a receiver, or where a call's result is, in one sentence.
//!
//! Invariant: the sentence is the data plane's; nothing is guessed here.

use std::process::ExitCode;

use super::connection::Connection;
use super::output::{self, Output};
use super::print::{self, text};

/// The arguments of `asyncmcp why`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// URL of a receiver (its query may be left out), or the id of a job, or the webhook-id of its attempts.
    #[arg(value_name = "URL|ID")]
    what: String,
    /// Output format.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&["table", "json", "yaml"]))]
    output: Output,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let open = args.connection.open().await?;
    let name = parameter(&args.what);
    let answer = open.admin.get("/why", &[(name, args.what)]).await?;
    match args.output {
        Output::Json | Output::Yaml => args.output.document(&answer)?,
        Output::Table | Output::Wide | Output::Name => print::line(text(&answer["sentence"]))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A URL and a receiver's id (32 digits) name a receiver, everything else a job.
fn parameter(what: &str) -> &'static str {
    let is_id = what.len() == 32 && what.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id || what.contains("://") {
        "receiver"
    } else {
        "job"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_about_is_told_by_its_form() {
        assert_eq!(parameter("https://r.example/hook"), "receiver");
        assert_eq!(parameter("0123456789abcdef0123456789abcdef"), "receiver");
        assert_eq!(parameter("msg_0123456789abcdef0123456789abcdef"), "job");
        assert_eq!(parameter("01jdq3v6q0c8hvxk0n0v5yw3ab"), "job");
    }
}
