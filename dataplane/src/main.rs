//! The life of a data-plane process: read the route or refuse to start, serve until a signal,
//! drain, end.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_crds::v1alpha1::OtlpProtocol;
use asyncmcp_dataplane::admin::jobs;
use asyncmcp_dataplane::app::App;
use asyncmcp_dataplane::app::registry;
use asyncmcp_dataplane::args::{Args, Command};
use asyncmcp_dataplane::config::watch::Watch;
use asyncmcp_dataplane::config::{Config, Live, Source, notices};
use asyncmcp_dataplane::ports::{self, Port};
use asyncmcp_dataplane::telemetry::{Otlp, Telemetry};
use asyncmcp_dataplane::{admin, edge, store_command};
use clap::Parser as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// A delivery is a few hundred small allocations on several threads; glibc's took a fifth of its CPU time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The route is invalid (`EX_CONFIG` of sysexits.h).
const BAD_ROUTE: u8 = 78;
/// Ended at once by Ctrl-C, as shells number it.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Command::Store(command)) = &args.command {
        return store_command::run(command);
    }
    if args.openapi {
        return print_document();
    }
    let source = args.source();
    let first = match source.read_or_last() {
        Ok(first) => first,
        Err(error) => return refuse(&error),
    };
    if args.check {
        return print_report(&source, &first, args.strict);
    }
    match serve(&args, source, first) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "exiting");
            ExitCode::FAILURE
        }
    }
}

fn print_document() -> ExitCode {
    match std::io::stdout().write_all(jobs::document().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE, // whoever was to read it is gone
    }
}

/// Prints what a check found. Warnings are an error only where they are asked to be.
fn print_report(source: &Source, config: &Config, strict: bool) -> ExitCode {
    let (text, warnings) = notices::report(source, config);
    let printed = writeln!(std::io::stdout(), "{text}");
    if printed.is_err() || (strict && warnings > 0) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[expect(
    clippy::print_stderr,
    reason = "no log is set up yet, and a person or a kubelet reads this"
)]
fn refuse(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("invalid route: {error}");
    ExitCode::from(BAD_ROUTE)
}

#[tokio::main]
async fn serve(args: &Args, source: Source, first: Config) -> Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("another TLS provider is there")?;
    let telemetry = Arc::new(Telemetry::install(args.log_format, "asyncmcp-dataplane")?);
    let registry = registry(&first.route)?;
    let connections = ports::Metrics::register(&registry)?;
    let watch = Watch::new(source.clone(), first, &registry)?;
    let mut live = watch.live();
    configure(&telemetry, &live.borrow_and_update()); // before the first request, which is traced as well
    tokio::spawn(follow(Arc::clone(&telemetry), live));
    tokio::spawn(notices::follow(source, watch.live()));
    let mcp = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("--listen {}", args.listen))?;
    let admin = TcpListener::bind(args.admin_listen)
        .await
        .with_context(|| format!("--admin-listen {}", args.admin_listen))?;
    let app = App::start(args, watch.live(), registry)?;
    tracing::info!(mcp = %mcp.local_addr()?, admin = %admin.local_addr()?, "serving");
    let tls = ports::tls::follow(watch.live());
    tokio::spawn(watch.run());
    let admin = Port::admin(admin, admin::router(app.admin()));
    let admin = tokio::spawn(ports::serve(admin, connections.clone()));
    let last_call = CancellationToken::new();
    let mcp = Port::mcp(mcp, edge::router(app.edge()), tls, last_call.clone());
    let mut mcp = tokio::spawn(ports::serve(mcp, connections));
    let ended = ending(&app).await;
    // After a failure nothing that still runs could be stored: only a new process helps, and at once.
    let grace = if ended.is_ok() {
        tokio::spawn(end_at_once());
        app.time_to_end()
    } else {
        Duration::ZERO.into()
    };
    let deadline = Instant::now() + grace.calls;
    app.drain(grace).await;
    last_call.cancel();
    if timeout_at(deadline, &mut mcp).await.is_err() {
        tracing::warn!("answers that were still under way are interrupted");
        mcp.abort();
    }
    admin.abort();
    tracing::info!("ended");
    telemetry.shut_down();
    ended
}

/// Waits for a signal, or for the store or the engine to fail for good.
async fn ending(app: &App) -> Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
        failed = app.health().failed() => Err(failed.into()),
    }
}

/// Ends the process at another Ctrl-C. A second SIGTERM is not one: a kubelet that restarts sends it again.
async fn end_at_once() {
    if let Ok(mut int) = signal(SignalKind::interrupt())
        && int.recv().await.is_some()
    {
        tracing::warn!("Ctrl-C again: ending at once; what was acknowledged continues at the next start");
        std::process::exit(INTERRUPTED);
    }
}

/// Configures logs and traces as each new route says.
async fn follow(telemetry: Arc<Telemetry>, mut live: Live) {
    while live.changed().await.is_ok() {
        let config = Arc::clone(&live.borrow_and_update());
        configure(&telemetry, &config);
    }
}

fn configure(telemetry: &Telemetry, config: &Config) {
    let wanted = &config.route.telemetry;
    let otlp = wanted.otlp.as_ref().map(|otlp| Otlp {
        endpoint: otlp.endpoint.clone(),
        grpc: otlp.protocol == OtlpProtocol::Grpc,
        headers: config.refs.headers(&otlp.headers),
        sampling_percent: wanted.sampling_percent,
    });
    if let Err(error) = telemetry.follow(wanted.log_level.as_str(), otlp.as_ref()) {
        tracing::error!(%error, "traces are not exported");
    }
}
