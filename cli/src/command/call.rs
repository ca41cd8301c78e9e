//! `asyncmcp call`: one tool call from the shell.
//!
//! Invariant: one document is written to standard output, the result or the acknowledgement; as JSON, it is one line.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use asyncmcp_client::{
    Answer, Client, Config, Error, Id, Outcome, Progress, RawObject, RawValue, Receiver, ReceiverOptions,
    ResponseOutcome, is_tool_error,
};
use serde_json::json;

use super::endpoint::Endpoint;
use super::output::{self, Output};
use super::{KeyArgs, explain, http_url, print, span};

/// The JSON-RPC code of a receiver that the route does not allow.
const RECEIVER_REFUSED: i64 = -31005;
/// The exit code where the result of a call did not come in time.
const NO_RESULT: u8 = 4;

const EXAMPLES: &str = "Examples:
  asyncmcp call echo --arg text=hello
  asyncmcp call process_batch --arg seconds=2 --arg items=5 --wait --secret-file receiver.key
  asyncmcp call process_batch --json @arguments.json --webhook-url http://127.0.0.1:18081/webhook
  asyncmcp call echo --arg text=hello --url https://mcp.example.com/mcp --header @headers.txt";

/// The arguments of `asyncmcp call`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of the tool.
    tool: String,
    #[command(flatten)]
    endpoint: Endpoint,
    /// Argument of the tool (repeatable). A value that is not JSON is used as a string.
    #[arg(short = 'a', long = "arg", value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    /// Arguments of the tool as a JSON object, in a file, or on standard input (-); --arg adds to it or overrides it.
    #[arg(long, value_name = "OBJECT|@FILE|-")]
    json: Option<String>,
    /// Receiver of the result, sent with initialize.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    webhook_url: Option<String>,
    /// Start a receiver, use it as the webhook URL (unless --webhook-url is given), and wait for the result. The route must allow
    /// it: `webhook.receivers.fromClients`.
    #[arg(long)]
    wait: bool,
    /// Address for --wait to listen on; port 0 picks a free port.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long --wait waits for the result.
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span)]
    wait_timeout: Duration,
    /// Output format. text: only the texts of a result.
    #[arg(short, long, default_value = "json", value_parser = output::one_of(&["json", "yaml", "text"]))]
    output: Output,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let json = args.json.as_deref().map(object).transpose()?;
    let arguments = arguments(json.as_deref(), &args.pairs)?;
    let receiver = if args.wait {
        Some(open_receiver(&args).await?)
    } else {
        None
    };
    let explained = |error| explained(error, &args);
    let client = Client::connect(&config(&args, receiver.as_ref())?)
        .await
        .map_err(explained)?;
    let answer = client
        .call_tool(&args.tool, arguments, show_progress)
        .await
        .map_err(explained)?;
    let code = match (answer, receiver) {
        (Answer::Result(result), _) => show_result(&result, args.output)?,
        (Answer::Acknowledged { id, webhook_id, .. }, Some(receiver)) => {
            let delivered = delivered(receiver, &id, args.output);
            let Ok(delivered) = tokio::time::timeout(args.wait_timeout, delivered).await else {
                too_late(&args, webhook_id.as_deref());
                let _ = client.close().await; // the job continues without it
                return Ok(ExitCode::from(NO_RESULT));
            };
            delivered?
        }
        (Answer::Acknowledged { id, job, webhook_id }, None) => {
            print::note("accepted; the result will be delivered by webhook");
            let acknowledged = json!({"acknowledged": {"id": id.raw(), "job": job, "webhookId": webhook_id}});
            args.output.document(&acknowledged)?;
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
    let error = explain::endpoint(error, &args.endpoint.url);
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
    print::note(format!(
        "error: no result within {} s: wait longer with --wait-timeout",
        args.wait_timeout.as_secs_f64()
    ));
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
    Receiver::bind(args.listen, options)
        .await
        .map_err(explain::receiver)
}

fn config(args: &Args, receiver: Option<&Receiver>) -> anyhow::Result<Config> {
    let own = || receiver.map(Receiver::url);
    Ok(Config {
        webhook_url: args.webhook_url.clone().or_else(own),
        ..args.endpoint.config()?
    })
}

/// Waits for the delivery of the response to `id`, and prints every attempt to standard error.
async fn delivered(mut receiver: Receiver, id: &Id, output: Output) -> anyhow::Result<ExitCode> {
    while let Some(attempt) = receiver.next().await {
        print::note(print::attempt(&attempt));
        if attempt.outcome != Outcome::Delivered {
            continue;
        }
        let response = attempt.response()?;
        match response.outcome {
            _ if response.id.as_ref() != Some(id) => {}
            ResponseOutcome::Result(result) => return show_result(&result, output),
            ResponseOutcome::Error(error) => bail!("the call ended with an error: {error}"),
        }
    }
    bail!("the receiver stopped")
}

/// As JSON, the bytes are those that were received.
fn show_result(result: &RawValue, output: Output) -> anyhow::Result<ExitCode> {
    match output {
        Output::Json => print::line(result)?,
        Output::Yaml => output.document(&serde_json::from_str(result.get())?)?,
        Output::Table | Output::Wide | Output::Name => print::line(print::whole_text(result))?,
    }
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

/// The text of --json: as it is given, from a file, or from standard input.
fn object(given: &str) -> anyhow::Result<String> {
    match given.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("--json @{file}")),
        None if given == "-" => std::io::read_to_string(std::io::stdin()).context("--json -"),
        None => Ok(given.to_owned()),
    }
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
