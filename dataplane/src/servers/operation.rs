//! What is measured of a message to a server: `mcp_client_operation_duration_seconds`
//! (OpenTelemetry MCP conventions, `mcp.client.operation.duration`) and its CLIENT span.
//!
//! [`super::session`] begins one with each message; it ends when dropped. Invariant:
//! every label is a name from the route, from a server's tool list that passed our
//! filters, or one of a closed set.

use prometheus::{HistogramOpts, HistogramVec, Registry};
use tokio::time::Instant;
use tracing::{Span, field};

use super::Error;
use crate::caller::operation::{BUCKETS, SPANS, mark_failed, method_label};

/// The metrics of the side that faces servers.
#[derive(Clone, Debug)]
pub struct Metrics {
    duration: HistogramVec,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = HistogramOpts::new(
            "mcp_client_operation_duration_seconds",
            "How long servers took to answer, from the request to the last byte of its response",
        );
        let duration = HistogramVec::new(
            options.buckets(BUCKETS.to_vec()),
            &["server", "mcp_method_name", "tool", "error_type"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { duration })
    }
}

/// One message on its way to a server and back.
#[derive(Debug)]
pub(crate) struct Operation {
    metrics: Metrics,
    server: String,
    method: &'static str,
    tool: String,
    began: Instant,
    error: &'static str,
    span: Span,
}

impl Operation {
    /// Begins to measure. `tool` is a name from the catalogue.
    pub(crate) fn begin(metrics: &Metrics, server: &str, method: &str, tool: Option<&str>) -> Self {
        let method = method_label(method);
        let tool = tool.unwrap_or_default();
        let span = match Span::current() {
            parent if parent.is_none() => parent,
            _ => span(server, method, tool),
        };
        Self {
            metrics: metrics.clone(),
            server: server.to_owned(),
            method,
            tool: tool.to_owned(),
            began: Instant::now(),
            error: "",
            span,
        }
    }

    /// Its span, which is the server's parent.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It failed.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.fail(error.reason());
    }

    /// The server answered with a JSON-RPC error.
    pub(crate) fn refused(&mut self) {
        self.fail("jsonrpc_error");
    }

    fn fail(&mut self, reason: &'static str) {
        self.error = reason;
        mark_failed(&self.span, reason);
    }
}

/// Only within another: the gateway's own visits to its servers are not traced.
fn span(server: &str, method: &'static str, tool: &str) -> Span {
    tracing::info_span!(
        target: SPANS,
        "mcp.client",
        otel.name = format!("{method} {tool}").trim_end(),
        otel.kind = "client",
        otel.status_code = field::Empty,
        mcp.method.name = method,
        gen_ai.tool.name = tool,
        server,
        error.type = field::Empty,
    )
}

impl Drop for Operation {
    fn drop(&mut self) {
        let labels = [self.server.as_str(), self.method, &self.tool, self.error];
        let duration = self.metrics.duration.with_label_values(&labels);
        duration.observe(self.began.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_method_is_one_label() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        for method in ["x/1", "x/2"] {
            Operation::begin(&metrics, "a", method, None).refused();
        }
        let families = registry.gather();
        let [metric] = families[0].get_metric() else {
            panic!("one series, not {families:?}");
        };
        let labels: Vec<_> = metric
            .get_label()
            .iter()
            .map(prometheus::proto::LabelPair::value)
            .collect();
        assert_eq!(labels, ["jsonrpc_error", "_OTHER", "a", ""]);
        assert_eq!(metric.get_histogram().get_sample_count(), 2);
    }
}
