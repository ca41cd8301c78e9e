//! What is measured of a client's request: `mcp_server_operation_duration_seconds`
//! (OpenTelemetry MCP conventions, `mcp.server.operation.duration`) with its SERVER span, and
//! the gauges `asyncmcp_sessions` and `asyncmcp_streams`.
//!
//! [`crate::edge`] begins one per request; it ends when dropped. Invariant: every label is
//! one of a closed set or a tool's name from the catalogue.

mod seen;

use asyncmcp_delivery::clock::Clock;
use opentelemetry::trace::TraceContextExt as _;
use prometheus::{HistogramOpts, HistogramVec, IntGauge, Registry};
use tokio::time::Instant;
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use self::seen::Seen;
use super::Scope;
use super::trace::TraceHeaders;

/// The buckets that OpenTelemetry names for MCP operations, in seconds; the side that faces servers has the same.
pub(crate) const BUCKETS: [f64; 14] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
/// The target of the spans of calls, on both sides: off where no traces are exported.
pub(crate) const SPANS: &str = "asyncmcp::span::operation";
/// The methods that are labels as they are.
const METHODS: [&str; 23] = [
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
    "completion/complete",
    "logging/setLevel",
    "server/discover",
    "tasks/get",
    "tasks/result",
    "tasks/cancel",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "response",
];

/// The method as a label: one that is not known is `_OTHER`.
pub(crate) fn method_label(method: &str) -> &'static str {
    let known = METHODS.into_iter().find(|known| *known == method);
    known.unwrap_or("_OTHER")
}

/// Marks the span of an operation that failed.
pub(crate) fn mark_failed(span: &Span, reason: &'static str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", reason);
}

/// The metrics of the side that faces clients.
#[derive(Clone, Debug)]
pub struct Metrics {
    duration: HistogramVec,
    streams: IntGauge,
    seen: Seen,
}

impl Metrics {
    /// Registers them. `clock` decides which sessions were seen lately.
    pub fn register(registry: &Registry, clock: Clock) -> Result<Self, prometheus::Error> {
        let options = HistogramOpts::new(
            "mcp_server_operation_duration_seconds",
            "How long clients' requests took, from the body to the last byte of the response",
        );
        let labels = ["mcp_method_name", "tool", "error_type"];
        let metrics = Self {
            duration: HistogramVec::new(options.buckets(BUCKETS.to_vec()), &labels)?,
            streams: IntGauge::new("asyncmcp_streams", "Event streams that are open to clients")?,
            seen: Seen::new(clock)?,
        };
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.streams.clone()))?;
        registry.register(Box::new(metrics.seen.clone()))?;
        Ok(metrics)
    }

    /// A request of this session came.
    pub fn seen(&self, scope: Scope) {
        self.seen.note(scope);
    }

    /// Counts a stream for as long as what it returns is kept.
    pub fn stream(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }
}

/// A stream that is open.
#[derive(Debug)]
pub struct OpenStream(IntGauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One request on its way through.
#[derive(Debug)]
pub struct Operation {
    metrics: Metrics,
    method: &'static str,
    tool: String,
    began: Instant,
    error: &'static str,
    trace: TraceHeaders,
    span: Span,
}

impl Operation {
    /// Begins to measure a request of `method` that came with `trace`.
    pub fn begin(metrics: &Metrics, method: &str, trace: &TraceHeaders) -> Self {
        let method = method_label(method);
        let span = tracing::info_span!(
            target: SPANS,
            "mcp.server",
            otel.name = method,
            otel.kind = "server",
            otel.status_code = field::Empty,
            mcp.method.name = method,
            gen_ai.tool.name = field::Empty,
            error.r#type = field::Empty,
        );
        trace.adopt(&span);
        Self {
            metrics: metrics.clone(),
            method,
            tool: String::new(),
            began: Instant::now(),
            error: "",
            trace: trace.clone(),
            span,
        }
    }

    /// It calls this tool, a name from the catalogue.
    pub fn calls(&mut self, tool: &str) {
        tool.clone_into(&mut self.tool);
        if self.span.is_disabled() {
            return;
        }
        self.span.record("gen_ai.tool.name", tool);
        // Recording `otel.name` is of no use here: the span began when it took its parent.
        let name = format!("{} {tool}", self.method);
        self.span.context().span().update_name(name);
    }

    /// It fails, for this reason out of a closed set.
    pub fn failed(&mut self, reason: &'static str) {
        self.error = reason;
        mark_failed(&self.span, reason);
    }

    /// It does not fail yet: what failed is tried in another way.
    pub fn again(&mut self) {
        self.error = "";
        self.span.record("otel.status_code", "UNSET");
    }

    /// Its span.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The trace context for whatever follows from it.
    pub fn trace(&self) -> TraceHeaders {
        self.trace.within(&self.span)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let labels = [self.method, &self.tool, self.error];
        let duration = self.metrics.duration.with_label_values(&labels);
        duration.observe(self.began.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> (Registry, Metrics) {
        let registry = Registry::new();
        let metrics = Metrics::register(
            &registry,
            Clock::system(asyncmcp_delivery::clock::Millis(0), 0, None),
        )
        .unwrap();
        (registry, metrics)
    }

    #[test]
    fn a_method_that_nobody_knows_is_one_label() {
        let (registry, metrics) = metrics();
        for method in ["x/1", "x/2"] {
            Operation::begin(&metrics, method, &TraceHeaders::default()).failed("method_not_found");
        }
        let families = registry.gather();
        let family = families
            .iter()
            .find(|family| family.name().starts_with("mcp_server"))
            .unwrap();
        let [metric] = family.get_metric() else {
            panic!("one series, not {family:?}")
        };
        let labels: Vec<_> = metric
            .get_label()
            .iter()
            .map(prometheus::proto::LabelPair::value)
            .collect();
        assert_eq!(labels, ["method_not_found", "_OTHER", ""]);
        assert_eq!(metric.get_histogram().get_sample_count(), 2);
    }

    #[test]
    fn a_stream_counts_while_it_is_open() {
        let (_, metrics) = metrics();
        let open = metrics.stream();
        assert_eq!(metrics.streams.get(), 1);
        drop(open);
        assert_eq!(metrics.streams.get(), 0);
    }
}
