//! The trace context that travels with a message to a server (W3C Trace Context and
//! Baggage; SEP-414 for the same keys in `_meta`).
//!
//! The edge reads it from a client's request, the executor from a job. Invariant: of a
//! client's headers these three are all that a server ever sees.

use std::collections::HashMap;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The trace headers of one message. Each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceHeaders {
    /// `traceparent`.
    pub parent: Option<HeaderValue>,
    /// `tracestate`; means nothing without `traceparent`.
    pub state: Option<HeaderValue>,
    /// `baggage`.
    pub baggage: Option<HeaderValue>,
}

impl TraceHeaders {
    /// What a client's request carries.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            parent: headers.get(TRACEPARENT).cloned(),
            state: headers.get(TRACESTATE).cloned(),
            baggage: headers.get(BAGGAGE).cloned(),
        }
    }

    /// A stored context; empty or malformed text is no context.
    pub fn stored(parent: &str, state: &str) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).ok().filter(|value| !value.is_empty());
        Self {
            parent: value(parent),
            state: value(state),
            baggage: None,
        }
    }

    /// The same with `span` as the parent. Where the span is not recorded, what came in goes on.
    #[must_use]
    pub fn within(&self, span: &Span) -> Self {
        let context = span.context();
        if !context.span().span_context().is_sampled() {
            return self.clone();
        }
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&context, &mut carrier);
        let value = |key: &str| HeaderValue::from_str(carrier.get(key)?).ok();
        match value(TRACEPARENT.as_str()) {
            None => self.clone(),
            parent => Self {
                parent,
                state: value(TRACESTATE.as_str()).filter(|state| !state.is_empty()),
                baggage: self.baggage.clone(),
            },
        }
    }

    /// Adds the headers that are there.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let pairs = [
            (TRACEPARENT, &self.parent),
            (TRACESTATE, &self.state),
            (BAGGAGE, &self.baggage),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn passes_three_headers_on_and_no_other() {
        let mut from = HeaderMap::new();
        for name in ["traceparent", "tracestate", "baggage", "authorization", "cookie"] {
            from.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let mut to = HeaderMap::new();
        TraceHeaders::of(&from).within(&Span::none()).write(&mut to);
        let mut names: Vec<_> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["baggage", "traceparent", "tracestate"]);
    }

    #[test]
    fn an_empty_stored_context_is_none() {
        assert_eq!(TraceHeaders::stored("", "a\nb"), TraceHeaders::default());
        assert!(TraceHeaders::stored("00-1-2-01", "").parent.is_some());
    }

    /// What goes on from within a span that `sampler` decides about.
    fn within_a_span(sampler: Sampler) -> TraceHeaders {
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || came_in().within(&tracing::info_span!("span")))
    }

    fn came_in() -> TraceHeaders {
        TraceHeaders::stored("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "v=1")
    }

    #[test]
    fn a_recorded_span_is_the_parent_and_one_that_is_not_stays_out_of_the_way() {
        assert_eq!(within_a_span(Sampler::AlwaysOff), came_in());
        let within = within_a_span(Sampler::AlwaysOn).parent.unwrap();
        assert_ne!(Some(&within), came_in().parent.as_ref());
        assert!(within.to_str().unwrap().ends_with("-01"), "{within:?}");
    }
}
