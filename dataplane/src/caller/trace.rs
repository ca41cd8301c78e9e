//! The trace context that travels with a message: in headers (W3C Trace Context and Baggage) and, under the same keys,
//! in `_meta` (SEP-414).
//!
//! The edge reads it from a client's request, the job runner from a job; whatever goes to a server is written here.
//! Invariant: of a client's headers these three are all that a server ever sees, and a `tracestate` never goes with another
//! `traceparent` than its own.

use std::collections::HashMap;

use asyncmcp_delivery::job::Trace;
use asyncmcp_protocol::RawObject;
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

    /// The context in `_meta`, if it names a parent; else this.
    #[must_use]
    pub fn or_of(&self, meta: Option<&RawObject>) -> Self {
        let value = |key: &HeaderName| HeaderValue::from_str(&meta?.text(key.as_str())?).ok();
        match value(&TRACEPARENT) {
            None => self.clone(),
            parent => Self {
                parent,
                state: value(&TRACESTATE),
                baggage: value(&BAGGAGE),
            },
        }
    }

    /// A stored context; empty or malformed text is none.
    pub fn of_stored(trace: &Trace) -> Self {
        let value = |text: &String| HeaderValue::from_str(text).ok().filter(|value| !value.is_empty());
        Self {
            parent: value(&trace.parent),
            state: value(&trace.state),
            baggage: None,
        }
    }

    /// What is stored with a job.
    pub fn stored(&self) -> Trace {
        Trace {
            parent: text(self.parent.as_ref()),
            state: text(self.state.as_ref()),
        }
    }

    /// Makes this the parent of `span`.
    pub fn adopt(&self, span: &Span) {
        let mut carrier = HashMap::new();
        for (key, value) in [(TRACEPARENT, &self.parent), (TRACESTATE, &self.state)] {
            if value.is_some() {
                carrier.insert(key.as_str().to_owned(), text(value.as_ref()));
            }
        }
        if !carrier.is_empty() {
            // Fails only where no OpenTelemetry layer is there to take it.
            let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
        }
    }

    /// The same with `span` as the parent. Where the span is not recorded, the incoming context is passed on.
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

    /// Puts the context in a request's `_meta`, in place of the one that is there. Without a parent that one stays.
    pub(crate) fn write_meta(&self, meta: &mut RawObject) {
        if self.parent.is_none() {
            return;
        }
        for (key, value) in [(TRACEPARENT, &self.parent), (TRACESTATE, &self.state)] {
            match value {
                Some(_) => meta.set_value(key.as_str(), &text(value.as_ref())),
                None => drop(meta.remove(key.as_str())),
            }
        }
    }

    /// Adds the headers that are there.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
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

/// Empty where there is none, or none that is text.
fn text(value: Option<&HeaderValue>) -> String {
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt as _;

    fn stored(parent: &str, state: &str) -> TraceHeaders {
        TraceHeaders::of_stored(&Trace {
            parent: parent.to_owned(),
            state: state.to_owned(),
        })
    }

    #[test]
    fn the_trace_in_meta_beats_the_one_in_the_headers() {
        let headers = stored("00-1-1-01", "a=1");
        let meta = |json: &str| RawObject::parse(json.as_bytes()).unwrap();
        assert_eq!(headers.or_of(None), headers);
        assert_eq!(headers.or_of(Some(&meta(r#"{"tracestate":"b=2"}"#))), headers);
        let own = headers.or_of(Some(&meta(r#"{"traceparent":"00-2-2-01"}"#)));
        assert_eq!(own, stored("00-2-2-01", ""));
    }

    #[test]
    fn a_parent_without_a_state_drops_the_state_of_another() {
        let mut meta = RawObject::new();
        meta.set_value("traceparent", "00-1");
        meta.set_value("tracestate", "of=another");
        stored("00-2", "").write_meta(&mut meta);
        assert_eq!(meta.text("traceparent").as_deref(), Some("00-2"));
        assert_eq!(meta.text("tracestate"), None);
        TraceHeaders::default().write_meta(&mut meta);
        assert_eq!(
            meta.text("traceparent").as_deref(),
            Some("00-2"),
            "nothing to put in its place"
        );
    }

    #[test]
    fn passes_three_headers_on_and_no_other() {
        let mut from = HeaderMap::new();
        for name in ["traceparent", "tracestate", "baggage", "authorization", "cookie"] {
            from.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let mut to = HeaderMap::new();
        TraceHeaders::of(&from)
            .within(&Span::none())
            .write_headers(&mut to);
        let mut names: Vec<_> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["baggage", "traceparent", "tracestate"]);
    }

    #[test]
    fn an_empty_stored_context_is_none() {
        assert_eq!(stored("", "a\nb"), TraceHeaders::default());
        assert!(stored("00-1-2-01", "").parent.is_some());
    }

    /// What is passed on from within a span that `sampler` decides about.
    fn within_a_span(sampler: Sampler) -> TraceHeaders {
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || came_in().within(&tracing::info_span!("span")))
    }

    fn came_in() -> TraceHeaders {
        stored("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "v=1")
    }

    #[test]
    fn a_recorded_span_is_the_parent_and_one_that_is_not_stays_out_of_the_way() {
        assert_eq!(within_a_span(Sampler::AlwaysOff), came_in());
        let within = within_a_span(Sampler::AlwaysOn).parent.unwrap();
        assert_ne!(Some(&within), came_in().parent.as_ref());
        assert!(within.to_str().unwrap().ends_with("-01"), "{within:?}");
    }
}
