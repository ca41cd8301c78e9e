//! `asyncmcp call`: one tool call from the shell.
//!
//! Invariant: standard output gets exactly one line: the result, or the acknowledgement.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use asyncmcp_client::{Answer, Client, Config, Id, Outcome, Progress, RawValue, Receiver, ReceiverOptions};
use asyncmcp_protocol::{self as protocol, RawObject, tool_result};
use serde_json::json;

use super::{KeyArgs, print};

/// The arguments of `asyncmcp call`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The tool's name.
    tool: String,
    /// The MCP endpoint.
    #[arg(long, default_value = "http://127.0.0.1:8080/mcp")]
    url: String,
    /// An argument of the tool; a value that is not JSON is a string. Repeatable.
    #[arg(long = "arg", value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    /// The tool's arguments as a JSON object; --arg adds to it.
    #[arg(long, value_name = "OBJECT")]
    json: Option<String>,
    /// The receiver to name at initialize.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Open a receiver, name it at initialize (unless --webhook-url does), and wait for the result.
    #[arg(long)]
    wait: bool,
    /// Where --wait listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long --wait waits, in seconds.
    #[arg(long, default_value_t = 300)]
    wait_seconds: u64,
    /// The longest silence while an answer is awaited, in seconds.
    #[arg(long, default_value_t = 60.0)]
    timeout_seconds: f64,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let arguments = arguments(args.json.as_deref(), &args.pairs)?;
    let receiver = if args.wait {
        Some(open_receiver(&args).await?)
    } else {
        None
    };
    let client = Client::connect(&config(&args, receiver.as_ref())).await?;
    let answer = client.call_tool(&args.tool, arguments, show_progress).await?;
    let code = match (answer, receiver) {
        (Answer::Result(result), _) => show_result(&result)?,
        (Answer::Acknowledged { id, .. }, Some(receiver)) => {
            let deadline = Duration::from_secs(args.wait_seconds);
            let waiting = tokio::time::timeout(deadline, delivered(receiver, &id));
            waiting
                .await
                .context("no delivery in time; see --wait-seconds")??
        }
        (Answer::Acknowledged { id, job }, None) => {
            print::note("accepted; the result comes by webhook");
            print::line(json!({"acknowledged": {"id": id.raw(), "job": job}}))?;
            ExitCode::SUCCESS
        }
    };
    // The call is over either way; a session that cannot be ended expires.
    let _ = client.close().await;
    Ok(code)
}

async fn open_receiver(args: &Args) -> anyhow::Result<Receiver> {
    let keys = args.keys.keys()?;
    let options = ReceiverOptions {
        keys,
        ..ReceiverOptions::default()
    };
    Ok(Receiver::bind(args.listen, options).await?)
}

fn config(args: &Args, receiver: Option<&Receiver>) -> Config {
    let own = || receiver.map(Receiver::url);
    Config {
        server_url: args.url.clone(),
        webhook_url: args.webhook_url.clone().or_else(own),
        timeout_seconds: args.timeout_seconds,
        ..Config::default()
    }
}

/// Waits for the delivery that answers `id`, noting every attempt.
async fn delivered(mut receiver: Receiver, id: &Id) -> anyhow::Result<ExitCode> {
    while let Some(attempt) = receiver.next().await {
        print::note(print::attempt(&attempt));
        if attempt.outcome != Outcome::Delivered {
            continue;
        }
        let response = attempt.response()?;
        match response.outcome {
            _ if response.id.as_ref() != Some(id) => {}
            protocol::Outcome::Result(result) => return show_result(&result),
            protocol::Outcome::Error(error) => bail!("the call ended with an error: {error}"),
        }
    }
    bail!("the receiver stopped")
}

fn show_result(result: &RawValue) -> anyhow::Result<ExitCode> {
    print::line(result)?;
    Ok(if tool_result::is_error(result) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn show_progress(step: Progress) {
    let total = step.total.map(|total| format!(" of {total}")).unwrap_or_default();
    let message = step.message.unwrap_or_default();
    print::note(format!("progress {}{total}  {message}", step.progress));
}

/// The tool's arguments, from a JSON object and `key=value` pairs.
fn arguments(json: Option<&str>, pairs: &[String]) -> anyhow::Result<Box<RawValue>> {
    let mut arguments = RawObject::parse(json.unwrap_or("{}").as_bytes()).context("--json")?;
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            bail!("--arg {pair:?} is not KEY=VALUE");
        };
        match RawValue::from_string(value.to_owned()) {
            Ok(value) => arguments.set(key, value),
            Err(_) => arguments.set_value(key, value),
        }
    }
    Ok(arguments.to_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_json_where_they_can_be_and_text_otherwise() {
        let pairs = ["n=1.50", "t=hello there", "o={\"a\": 1}", "e=", "q=a=b"].map(str::to_owned);
        assert_eq!(
            arguments(Some(r#"{"n":0,"k":true}"#), &pairs).unwrap().get(),
            r#"{"n":1.50,"k":true,"t":"hello there","o":{"a": 1},"e":"","q":"a=b"}"#
        );
    }

    #[test]
    fn what_is_no_argument_is_named() {
        assert!(
            arguments(None, &["novalue".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("novalue")
        );
        assert!(
            arguments(Some("[]"), &[])
                .unwrap_err()
                .to_string()
                .contains("--json")
        );
    }
}
