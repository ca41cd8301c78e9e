//! `asyncmcp demo`: demonstrates a quick tool and a webhook tool from the client's side.
//!
//! `make run` starts an example server and a data plane and then runs it.
//!
//! Invariant: with --once it exits with 0 only if the webhook arrived and its signature is valid.

mod text;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, ensure};
use asyncmcp_client::signature::Key;
use asyncmcp_client::{
    Answer, Attempt, Client, Config, Id, Outcome, Progress, RawValue, Receiver, ReceiverOptions,
};
use tokio::time::{Instant, sleep, timeout};

use super::{KeyArgs, http_url, print, stop_signal};

/// How long to wait until the data plane is ready.
const READY: Duration = Duration::from_secs(30);
/// How long to wait for the delivery, including its retry.
const DELIVERY: Duration = Duration::from_mins(1);
const QUICK: (&str, &str) = ("echo", r#"{"text":"hello"}"#);
const SLOW: (&str, &str) = ("process_batch", r#"{"seconds":2,"items":5}"#);

/// The arguments of `asyncmcp demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// URL of the data plane's MCP endpoint.
    #[arg(long, default_value = "http://127.0.0.1:8080/mcp", value_parser = http_url)]
    url: String,
    /// URL of the data plane's admin port.
    #[arg(long, default_value = "http://127.0.0.1:9464", value_parser = http_url)]
    admin_url: String,
    /// Address for the receiver to listen on.
    #[arg(long, default_value = "127.0.0.1:18081")]
    listen: SocketAddr,
    /// File of the route, to print how to edit it.
    #[arg(long, value_name = "FILE")]
    route: Option<PathBuf>,
    /// Log file of the data plane, to print where it is.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Exit after the delivery instead of receiving until Ctrl-C.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let keys = args.keys.keys()?;
    ensure!(
        !keys.is_empty(),
        "missing --secret-file: the key that `asyncmcp keys derive` prints for the receiver is needed to verify signatures"
    );
    tokio::select! {
        shown = show(&args, keys) => shown,
        stopped = stop_signal() => stopped.map(|()| ended_early(&args)),
    }
}

/// Ctrl-C is the normal end of the demonstration, except with --once.
fn ended_early(args: &Args) -> ExitCode {
    if args.once {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

async fn show(args: &Args, keys: Vec<Key>) -> anyhow::Result<ExitCode> {
    wait_until_ready(&args.admin_url).await?;
    let mut receiver = open_receiver(args.listen, keys).await?;
    print::line(text::head(args, &receiver.url()))?;
    let client = connect(args, &receiver).await?;
    call_quick(&client).await?;
    call_slow(&client, &mut receiver).await?;
    client.close().await?;
    print::line(text::whats_next(args)?)?;
    if args.once {
        return Ok(ExitCode::SUCCESS);
    }
    receive_on(receiver).await
}

async fn wait_until_ready(admin: &str) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{admin}/readyz");
    let polling = async {
        while !is_ready(&http, &url).await {
            sleep(Duration::from_millis(100)).await;
        }
    };
    if timeout(READY, polling).await.is_err() {
        bail!("the data plane is not ready: {url} did not respond with 200 within 30 s");
    }
    Ok(())
}

async fn is_ready(http: &reqwest::Client, url: &str) -> bool {
    let answer = http.get(url).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// The first attempt of every delivery fails, to show the retry.
async fn open_receiver(listen: SocketAddr, keys: Vec<Key>) -> anyhow::Result<Receiver> {
    let options = ReceiverOptions {
        keys,
        fail_first: 1,
        ..ReceiverOptions::default()
    };
    Ok(Receiver::bind(listen, options).await?)
}

async fn connect(args: &Args, receiver: &Receiver) -> anyhow::Result<Client> {
    let config = Config {
        server_url: args.url.clone(),
        webhook_url: Some(receiver.url()),
        ..Config::default()
    };
    Ok(Client::connect(&config).await?)
}

async fn call_quick(client: &Client) -> anyhow::Result<()> {
    let (tool, arguments) = QUICK;
    print::line("1. A quick tool responds on the open connection and reports progress.")?;
    let begin = begin(tool, arguments)?;
    let progress = |step: Progress| {
        let total = step.total.unwrap_or_default();
        let _ = entry(begin, "progress", &format!("{} of {total}", step.progress));
    };
    match client.call_tool(tool, raw(arguments), progress).await? {
        Answer::Result(result) => entry(begin, "result", &print::result_text(&result))?,
        Answer::Acknowledged { .. } => {
            bail!("{tool} is a webhook tool in this route; remove it from webhookTools for the demonstration")
        }
    }
    Ok(print::line("")?)
}

async fn call_slow(client: &Client, receiver: &mut Receiver) -> anyhow::Result<()> {
    let (tool, arguments) = SLOW;
    print::line("2. A webhook tool is acknowledged at once; its result is POSTed to the receiver,")?;
    print::line("   which fails the first attempt on purpose.")?;
    let begin = begin(tool, arguments)?;
    let id = match client.call_tool(tool, raw(arguments), |_| {}).await? {
        Answer::Acknowledged { id, job, .. } => {
            entry(begin, "acknowledged", &acknowledged(&id, job.as_deref()))?;
            id
        }
        Answer::Result(_) => {
            bail!("{tool} is not a webhook tool in this route; add it to webhookTools for the demonstration")
        }
    };
    let Ok(attempt) = timeout(DELIVERY, delivery(begin, receiver, &id)).await else {
        bail!("the result was not delivered within 60 s");
    };
    let attempt = attempt?;
    entry(begin, "result", &print::delivered(&attempt))?;
    show_names(&attempt)?;
    Ok(print::line("")?)
}

fn acknowledged(id: &Id, job: Option<&str>) -> String {
    match job {
        Some(job) => format!("job {job}; the result will be delivered by webhook"),
        None => format!("202 Accepted; the response with id {id} will be delivered by webhook"),
    }
}

/// Prints every attempt until the response to `id` is delivered.
async fn delivery(begin: Instant, receiver: &mut Receiver, id: &Id) -> anyhow::Result<Attempt> {
    while let Some(attempt) = receiver.next().await {
        entry(
            begin,
            &format!("attempt {}", attempt.number),
            &print::verdict(&attempt),
        )?;
        match attempt.outcome {
            Outcome::Refused(error) => bail!("a webhook was refused: {error}"),
            Outcome::Delivered if attempt.response()?.id.as_ref() == Some(id) => return Ok(attempt),
            _ => {}
        }
    }
    bail!("the receiver stopped")
}

/// Prints the identifiers of the delivery that appear in the gateway's logs and traces as well.
fn show_names(attempt: &Attempt) -> std::io::Result<()> {
    let names = [
        ("webhook-id", attempt.webhook_id.as_deref()),
        ("trace id", print::trace_id(attempt)),
    ];
    for (what, name) in names {
        if let Some(name) = name {
            print::line(format!("            {what:<12}  {name}"))?;
        }
    }
    Ok(())
}

async fn receive_on(mut receiver: Receiver) -> anyhow::Result<ExitCode> {
    while let Some(attempt) = receiver.next().await {
        print::line(format!("   {}", print::attempt(&attempt)))?;
        if attempt.outcome == Outcome::Delivered {
            print::line(format!("              {}", print::delivered(&attempt)))?;
        }
    }
    bail!("the receiver stopped")
}

fn begin(tool: &str, arguments: &str) -> std::io::Result<Instant> {
    print::line(format!("   tools/call {tool} {arguments}"))?;
    Ok(Instant::now())
}

fn entry(begin: Instant, what: &str, text: &str) -> std::io::Result<()> {
    let elapsed = begin.elapsed().as_secs_f64();
    print::line(format!("   +{elapsed:.2} s  {what:<12}  {text}"))
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("the arguments above are JSON")
}
