//! Logs and traces of the process: set up once in `main`, changed live with the route.
//!
//! A span is made through `tracing`; the OpenTelemetry layer is always there, and what it
//! exports to is behind a `Switch`, so that `telemetry.otlp` can come, go and change without
//! a restart. Invariant: with no OTLP endpoint nothing is sampled and nothing is queued, and a call makes no span; with one,
//! spans are made whatever the level of log lines is.

mod exporter;
mod switch;

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use self::switch::Switch;
use crate::caller::operation::SPANS;

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The exporter refused its settings.
    #[error("telemetry.otlp: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// A header is not valid for gRPC metadata.
    #[error("telemetry.otlp.headers: {0} is not valid gRPC metadata")]
    Header(String),
    /// No HTTP client can be made.
    #[error("telemetry.otlp: no HTTP client can be made")]
    Client(#[source] reqwest::Error),
    /// The endpoint is not one of a gRPC server.
    #[error("telemetry.otlp.endpoint: not a gRPC endpoint")]
    Endpoint(#[source] tonic::transport::Error),
    /// Something else in this process already owns the global subscriber.
    #[error("failed to install the log subscriber")]
    Subscriber(#[from] tracing_subscriber::util::TryInitError),
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Where spans go, read from `telemetry.otlp` and its Secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// The collector's URL.
    pub endpoint: String,
    /// gRPC, or HTTP with protobuf bodies.
    pub grpc: bool,
    /// Extra request headers, such as a token.
    pub headers: Vec<(String, String)>,
    /// How many traces are kept, in percent.
    pub sampling_percent: u8,
}

/// The process's logs and traces.
pub struct Telemetry {
    switch: Switch,
    provider: SdkTracerProvider,
    level: reload::Handle<EnvFilter, Registry>,
}

impl Telemetry {
    /// Installs the global subscriber. Call once.
    pub fn install(format: LogFormat, service_name: &'static str) -> Result<Self, Error> {
        let switch = Switch::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(switch.clone())
            .with_span_processor(switch.clone())
            .with_resource(Resource::builder().with_service_name(service_name).build())
            .build();
        let (filter, level) = reload::Layer::new(filter("info", false));
        let is_terminal = std::io::stderr().is_terminal();
        let lines = match format {
            LogFormat::Auto | LogFormat::Json if format == LogFormat::Json || !is_terminal => fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(std::io::stderr)
                .boxed(),
            _ => fmt::layer()
                .compact()
                .with_ansi(is_terminal && std::env::var_os("NO_COLOR").is_none())
                .with_writer(std::io::stderr)
                .boxed(),
        };
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("asyncmcp"));
        tracing_subscriber::registry()
            .with(filter)
            .with(spans)
            .with(lines)
            .try_init()?;
        Ok(Self {
            switch,
            provider,
            level,
        })
    }

    /// Follows the route: the level of log lines, and where spans go.
    pub fn follow(&self, level: &str, otlp: Option<&Otlp>) -> Result<(), Error> {
        // The handle is gone only when the process is: there is nobody left to notify.
        let _ = self.level.reload(filter(level, otlp.is_some()));
        let exporter = otlp.map(exporter::of).transpose()?;
        self.switch
            .turn(exporter, otlp.map_or(0, |otlp| otlp.sampling_percent));
        Ok(())
    }

    /// Sends what is queued; the last thing the process does.
    pub fn shut_down(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "spans were lost at shutdown");
        }
    }
}

/// Our own lines at `level`; of our dependencies only what needs a person. Spans are on where they are exported; of the
/// others only deliveries', which say in log lines which job they are about.
/// `RUST_LOG` in the environment adds to it.
fn filter(level: &str, is_exporting: bool) -> EnvFilter {
    let spans = if is_exporting {
        "asyncmcp::span=info".to_owned()
    } else {
        format!("{SPANS}=off")
    };
    let ours = format!("warn,asyncmcp={level},asyncmcp_dataplane={level},asyncmcp_delivery={level},{spans}");
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    asked
        .split(',')
        .filter(|word| !word.is_empty())
        .filter_map(|word| word.parse().ok())
        .fold(EnvFilter::new(ours), EnvFilter::add_directive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn makes_spans(level: &str, is_exporting: bool) -> bool {
        let subscriber = tracing_subscriber::registry().with(filter(level, is_exporting));
        tracing::subscriber::with_default(subscriber, || {
            !tracing::info_span!(target: SPANS, "call").is_disabled()
        })
    }

    #[test]
    fn calls_make_spans_where_they_are_exported_and_nowhere_else() {
        for level in ["debug", "info", "warn"] {
            assert!(makes_spans(level, true), "{level}");
            assert!(!makes_spans(level, false), "{level}");
        }
    }
}
