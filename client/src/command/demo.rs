//! `asyncmcp demo`: a quick tool and a webhook tool, seen from the client's side.
//!
//! `make run` calls it against a data plane and an example server that it has started.
//!
//! Invariant: with --once it ends with 0 only if the webhook came and its signature held.

mod text;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use asyncmcp_client::signature::Key;
use asyncmcp_client::{
    Answer, Attempt, Client, Config, Id, Outcome, Progress, RawValue, Receiver, ReceiverOptions,
};
use tokio::time::{Instant, sleep, timeout};

use super::{KeyArgs, print, stop_signal};

/// How long the data plane may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// How long the delivery may take, its retry included.
const DELIVERY: Duration = Duration::from_mins(1);
const QUICK: (&str, &str) = ("echo", r#"{"text":"hello"}"#);
const SLOW: (&str, &str) = ("process_batch", r#"{"seconds":2,"items":5}"#);

/// The arguments of `asyncmcp demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The data plane's MCP endpoint.
    #[arg(long, default_value = "http://127.0.0.1:8080/mcp")]
    url: String,
    /// The data plane's admin port.
    #[arg(long, default_value = "http://127.0.0.1:9464")]
    admin_url: String,
    /// Where the receiver listens.
    #[arg(long, default_value = "127.0.0.1:18081")]
    listen: SocketAddr,
    /// The route the data plane runs, to say what can be edited.
    #[arg(long, value_name = "FILE")]
    route: Option<PathBuf>,
    /// The data plane's log, to say where it is.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// End after the delivery instead of receiving on.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let keys = args.keys.keys()?;
    ensure!(
        !keys.is_empty(),
        "give the route's signing key with --secret-file, so that signatures can be verified"
    );
    tokio::select! {
        shown = show(&args, keys) => shown,
        stopped = stop_signal() => stopped.map(|()| ended_early(&args)),
    }
}

/// Ctrl-C is how the demonstration ends, unless it was to end by itself.
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
    let waited = timeout(READY, polling).await;
    waited.with_context(|| format!("the data plane is not ready: {url} did not answer 200 within 30 s"))
}

async fn is_ready(http: &reqwest::Client, url: &str) -> bool {
    let answer = http.get(url).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// The first attempt of every delivery fails, so that the retry is seen.
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
    print::line("1. A quick tool answers on the open connection, with its progress.")?;
    let begin = begin(tool, arguments)?;
    let progress = |step: Progress| {
        let total = step.total.unwrap_or_default();
        let _ = entry(begin, "progress", &format!("{} of {total}", step.progress));
    };
    match client.call_tool(tool, raw(arguments), progress).await? {
        Answer::Result(result) => entry(begin, "result", &print::result_text(&result))?,
        Answer::Acknowledged { .. } => {
            bail!("{tool} is a webhook tool in this route; the demonstration needs it not to be")
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
        Answer::Acknowledged { id, job } => {
            entry(begin, "acknowledged", &acknowledged(&id, job.as_deref()))?;
            id
        }
        Answer::Result(_) => {
            bail!("{tool} is not a webhook tool in this route; the demonstration needs it to be")
        }
    };
    let waiting = timeout(DELIVERY, delivery(begin, receiver, &id));
    let attempt = waiting
        .await
        .context("the result was not delivered within 60 s")??;
    entry(begin, "result", &print::delivered(&attempt))?;
    show_names(&attempt)?;
    Ok(print::line("")?)
}

fn acknowledged(id: &Id, job: Option<&str>) -> String {
    match job {
        Some(job) => format!("job {job}; the result comes by webhook"),
        None => format!("202 Accepted; the response with id {id} comes by webhook"),
    }
}

/// Shows every attempt up to the delivery that answers `id`.
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

/// What receiver and gateway both know the delivery by.
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
