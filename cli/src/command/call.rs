//! `asyncmcp call`: one tool call from the shell.
//!
//! Invariant: exactly one line is written to standard output: the result, or the acknowledgement.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use asyncmcp_client::{
    Answer, Client, Config, Error, Id, Outcome, Progress, RawObject, RawValue, Receiver, ReceiverOptions,
    ResponseOutcome, is_tool_error,
};
use serde_json::json;

use super::{KeyArgs, bearer_token, http_url, print};

/// The JSON-RPC code of a receiver that the route does not allow.
const RECEIVER_REFUSED: i64 = -31005;
/// The exit code where the result of a call did not come in time.
const NO_RESULT: u8 = 4;

/// The arguments of `asyncmcp call`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of the tool.
    tool: String,
    /// URL of the MCP endpoint.
    #[arg(long, env = "ASYNCMCP_URL", default_value = "http://127.0.0.1:8080/mcp", value_parser = http_url)]
    url: String,
    /// Argument of the tool (repeatable). A value that is not JSON is used as a string.
    #[arg(long = "arg", value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    /// Arguments of the tool as a JSON object; --arg adds to it or overrides it.
    #[arg(long, value_name = "OBJECT")]
    json: Option<String>,
    /// File with the bearer token, for a route with `auth`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Receiver of the result, sent with initialize.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Start a receiver, use it as the webhook URL (unless --webhook-url is given), and wait for the result.
    #[arg(long)]
    wait: bool,
    /// Address for --wait to listen on; port 0 picks a free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long --wait waits for the result, in seconds.
    #[arg(long, default_value_t = 300)]
    wait_seconds: u64,
    /// How long the server may be silent before the call fails, in seconds.
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
    let client = Client::connect(&config(&args, receiver.as_ref())?).await;
    let client = client.map_err(|error| explained(error, &args))?;
    let answer = client.call_tool(&args.tool, arguments, show_progress).await?;
    let code = match (answer, receiver) {
        (Answer::Result(result), _) => show_result(&result)?,
        (Answer::Acknowledged { id, webhook_id, .. }, Some(receiver)) => {
            let deadline = Duration::from_secs(args.wait_seconds);
            let Ok(delivered) = tokio::time::timeout(deadline, delivered(receiver, &id)).await else {
                too_late(&args, webhook_id.as_deref());
                let _ = client.close().await; // the job continues without it
                return Ok(ExitCode::from(NO_RESULT));
            };
            delivered?
        }
        (Answer::Acknowledged { id, job, webhook_id }, None) => {
            print::note("accepted; the result will be delivered by webhook");
            print::line(json!({"acknowledged": {"id": id.raw(), "job": job, "webhookId": webhook_id}}))?;
            ExitCode::SUCCESS
        }
    };
    // The outcome is known by now; a session that cannot be closed expires.
    let _ = client.close().await;
    Ok(code)
}

/// What to do about a route that refuses the receiver of --wait.
fn explained(error: Error, args: &Args) -> anyhow::Error {
    let is_refused = matches!(&error, Error::Rpc(error) if error.code == RECEIVER_REFUSED);
    let error = anyhow::Error::from(error);
    if is_refused && args.wait && args.webhook_url.is_none() {
        return error.context(
            "--wait receives the result on this machine, which the route has to allow: set webhook.receivers.fromClients \
             to {allowedCidrs: [127.0.0.0/8], schemes: [http]}",
        );
    }
    error
}

/// What to do about a call whose result did not come in time. Its receiver ends with this command.
fn too_late(args: &Args, webhook_id: Option<&str>) {
    let seconds = args.wait_seconds;
    print::note(format!("error: no result within {seconds} s; see --wait-seconds"));
    if let Some(id) = webhook_id {
        print::note(format!(
            "the call continues: `asyncmcp jobs show {id}` shows it, `asyncmcp jobs cancel {id}` ends it"
        ));
    }
}

async fn open_receiver(args: &Args) -> anyhow::Result<Receiver> {
    let keys = args.keys.keys()?;
    let options = ReceiverOptions {
        keys,
        ..ReceiverOptions::default()
    };
    Ok(Receiver::bind(args.listen, options).await?)
}

fn config(args: &Args, receiver: Option<&Receiver>) -> anyhow::Result<Config> {
    let own = || receiver.map(Receiver::url);
    Ok(Config {
        server_url: args.url.clone(),
        webhook_url: args.webhook_url.clone().or_else(own),
        timeout_seconds: args.timeout_seconds,
        bearer_token: bearer_token(args.token_file.as_deref())?,
        ..Config::default()
    })
}

/// Waits for the delivery of the response to `id`, and prints every attempt to standard error.
async fn delivered(mut receiver: Receiver, id: &Id) -> anyhow::Result<ExitCode> {
    while let Some(attempt) = receiver.next().await {
        print::note(print::attempt(&attempt));
        if attempt.outcome != Outcome::Delivered {
            continue;
        }
        let response = attempt.response()?;
        match response.outcome {
            _ if response.id.as_ref() != Some(id) => {}
            ResponseOutcome::Result(result) => return show_result(&result),
            ResponseOutcome::Error(error) => bail!("the call ended with an error: {error}"),
        }
    }
    bail!("the receiver stopped")
}

fn show_result(result: &RawValue) -> anyhow::Result<ExitCode> {
    print::line(result)?;
    Ok(if is_tool_error(result) {
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

/// Combines a JSON object and `key=value` pairs into the tool's arguments.
fn arguments(json: Option<&str>, pairs: &[String]) -> anyhow::Result<Box<RawValue>> {
    let mut arguments = RawObject::parse(json.unwrap_or("{}").as_bytes()).context("--json")?;
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            bail!("--arg {pair:?}: expected KEY=VALUE");
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
    fn a_value_is_json_if_it_parses_and_text_otherwise() {
        let pairs = ["n=1.50", "t=hello there", "o={\"a\": 1}", "e=", "q=a=b"].map(str::to_owned);
        assert_eq!(
            arguments(Some(r#"{"n":0,"k":true}"#), &pairs).unwrap().get(),
            r#"{"n":1.50,"k":true,"t":"hello there","o":{"a": 1},"e":"","q":"a=b"}"#
        );
    }

    #[test]
    fn an_invalid_argument_is_named() {
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
