//! Logs and traces of the process: set up once in `main`, changed live with the route.
//!
//! A span is made through `tracing`; the OpenTelemetry layer is always there, and what it
//! exports to is behind a `Switch`, so that `telemetry.otlp` can come, go and change without
//! a restart. Invariant: with no OTLP endpoint nothing is sampled and nothing is queued.

mod switch;

use std::collections::HashMap;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{
    Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use self::switch::Switch;

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The exporter refused its settings.
    #[error("telemetry.otlp: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// A header is not valid for gRPC metadata.
    #[error("telemetry.otlp.headers: {0} is not valid gRPC metadata")]
    Header(String),
    /// Something else in this process already owns the global subscriber.
    #[error("failed to install the log subscriber")]
    Subscriber(#[from] tracing_subscriber::util::TryInitError),
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
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
    /// How many traces without a sampled parent are kept, in percent.
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
        let (filter, level) = reload::Layer::new(filter("info"));
        let lines = match format {
            LogFormat::Json => fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(std::io::stderr)
                .boxed(),
            LogFormat::Text => fmt::layer().compact().with_writer(std::io::stderr).boxed(),
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
        let _ = self.level.reload(filter(level));
        let exporter = otlp.map(exporter).transpose()?;
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

/// Our own lines at `level`; of our dependencies only what needs a person.
/// `RUST_LOG` in the environment adds to it.
fn filter(level: &str) -> EnvFilter {
    let ours = format!("warn,asyncmcp={level},asyncmcp_dataplane={level},asyncmcp_delivery={level}");
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    asked
        .split(',')
        .filter(|word| !word.is_empty())
        .filter_map(|word| word.parse().ok())
        .fold(EnvFilter::new(ours), EnvFilter::add_directive)
}

fn exporter(otlp: &Otlp) -> Result<SpanExporter, Error> {
    if otlp.grpc {
        let tonic = SpanExporter::builder().with_tonic().with_endpoint(&otlp.endpoint);
        return Ok(tonic.with_metadata(metadata(&otlp.headers)?).build()?);
    }
    let headers: HashMap<_, _> = otlp.headers.iter().cloned().collect();
    let http = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary);
    Ok(http
        .with_endpoint(traces_url(&otlp.endpoint))
        .with_headers(headers)
        .build()?)
}

/// An OTLP/HTTP endpoint without a path means `/v1/traces` there (OTLP 1.x, "OTLP/HTTP Request").
fn traces_url(endpoint: &str) -> String {
    match url::Url::parse(endpoint) {
        Ok(mut url) if url.path() == "/" => {
            url.set_path("/v1/traces");
            url.into()
        }
        _ => endpoint.to_owned(),
    }
}

fn metadata(headers: &[(String, String)]) -> Result<MetadataMap, Error> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let (Ok(key), Ok(value)) = (HeaderName::from_str(name), value.parse()) else {
            return Err(Error::Header(name.clone()));
        };
        map.insert(key, value);
    }
    Ok(MetadataMap::from_headers(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_an_endpoint_without_a_path() {
        assert_eq!(traces_url("http://otel:4318"), "http://otel:4318/v1/traces");
        assert_eq!(traces_url("http://otel:4318/"), "http://otel:4318/v1/traces");
        assert_eq!(traces_url("https://otel/custom"), "https://otel/custom");
    }

    #[test]
    fn names_a_header_that_grpc_cannot_carry() {
        let error = metadata(&[("bad name".into(), "x".into())]).expect_err("a space in a name");
        assert_eq!(
            error.to_string(),
            "telemetry.otlp.headers: bad name is not valid gRPC metadata"
        );
    }
}
