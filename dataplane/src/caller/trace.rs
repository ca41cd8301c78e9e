//! The trace context that travels with a message: in headers (W3C Trace Context and Baggage) and, under the same keys,
//! in `_meta` (SEP-414).
//!
//! The edge reads it from a client's request, the job runner from a job; whatever goes to a server is written here.
//! Invariant: of a client's headers these three are all that a server ever sees, and only what
//! [`asyncmcp_delivery::trace`] finds valid; a `tracestate` never goes with another `traceparent` than its own.

use asyncmcp_delivery::job::Trace;
use asyncmcp_delivery::trace;
use asyncmcp_protocol::RawObject;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The trace headers of one message, all valid. Each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceHeaders {
    trace: Trace,
    baggage: Option<String>,
}

impl TraceHeaders {
    /// What a client's request carries.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name| whole(headers, name).unwrap_or_default();
        Self::checked(&text(TRACEPARENT), &text(TRACESTATE), &text(BAGGAGE))
    }

    /// The context in `_meta`, if it names a parent; else this.
    #[must_use]
    pub fn or_of(&self, meta: Option<&RawObject>) -> Self {
        let text = |key: HeaderName| meta.and_then(|meta| meta.text(key.as_str())).unwrap_or_default();
        let own = Self::checked(&text(TRACEPARENT), &text(TRACESTATE), &text(BAGGAGE));
        if own.has_parent() { own } else { self.clone() }
    }

    /// A stored context.
    pub fn of_stored(stored: &Trace) -> Self {
        Self::checked(&stored.parent, &stored.state, "")
    }

    fn checked(parent: &str, state: &str, baggage: &str) -> Self {
        Self {
            trace: trace::checked(parent, state),
            baggage: trace::checked_baggage(baggage),
        }
    }

    fn has_parent(&self) -> bool {
        !self.trace.parent.is_empty()
    }

    /// What is stored with a job.
    pub fn stored(&self) -> Trace {
        self.trace.clone()
    }

    /// Makes this the parent of `span`.
    pub fn adopt(&self, span: &Span) {
        if let Some(parent) = trace::parse(&self.trace) {
            // Fails only where no OpenTelemetry layer is there to take it.
            let _ = span.set_parent(Context::new().with_remote_span_context(parent));
        }
    }

    /// The same with `span` as the parent. Where the span is not recorded, the incoming context is passed on.
    #[must_use]
    pub fn within(&self, span: &Span) -> Self {
        let context = span.context();
        let current = context.span().span_context().clone();
        if !current.is_sampled() {
            return self.clone();
        }
        Self {
            trace: trace::write(&current),
            baggage: self.baggage.clone(),
        }
    }

    /// Puts the context in a request's `_meta`, in place of the one that is there. One that is there and that this was
    /// not read from is not valid, so it goes.
    pub(crate) fn write_meta(&self, meta: &mut RawObject) {
        let baggage = meta.text(BAGGAGE.as_str());
        let baggage = baggage.and_then(|baggage| trace::checked_baggage(&baggage));
        let values = [
            (TRACEPARENT, self.trace.parent.as_str()),
            (TRACESTATE, &self.trace.state),
            (BAGGAGE, baggage.as_deref().unwrap_or_default()),
        ];
        for (key, value) in values {
            match value {
                "" => drop(meta.remove(key.as_str())),
                value => meta.set_value(key.as_str(), value),
            }
        }
    }

    /// Adds the headers that are there.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        let pairs = [
            (TRACEPARENT, self.trace.parent.as_str()),
            (TRACESTATE, &self.trace.state),
            (BAGGAGE, self.baggage.as_deref().unwrap_or_default()),
        ];
        for (name, text) in pairs {
            if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_str(text)) {
                headers.insert(name, value);
            }
        }
    }
}

/// All lines of a list header as one (RFC 9110, 5.3). More than one `traceparent` makes no valid one.
fn whole(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Result<Vec<_>, _> = headers.get_all(name).iter().map(HeaderValue::to_str).collect();
    Some(lines.ok()?.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt as _;

    const ONE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const TWO: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn stored(parent: &str, state: &str) -> TraceHeaders {
        TraceHeaders::of_stored(&Trace {
            parent: parent.to_owned(),
            state: state.to_owned(),
        })
    }

    fn meta(values: &[(&str, &str)]) -> RawObject {
        let mut meta = RawObject::new();
        for (key, value) in values {
            meta.set_value(key, *value);
        }
        meta
    }

    #[test]
    fn the_trace_in_meta_beats_the_one_in_the_headers() {
        let headers = stored(ONE, "a=1");
        assert_eq!(headers.or_of(None), headers);
        assert_eq!(headers.or_of(Some(&meta(&[("tracestate", "b=2")]))), headers);
        let own = headers.or_of(Some(&meta(&[("traceparent", TWO)])));
        assert_eq!(own, stored(TWO, ""));
    }

    #[test]
    fn an_invalid_trace_in_meta_is_none_and_does_not_reach_a_server() {
        let mut long = meta(&[
            ("traceparent", &"x".repeat(70_000)),
            ("tracestate", "b=2"),
            ("baggage", "a=\n"),
        ]);
        let headers = stored(ONE, "a=1");
        assert_eq!(headers.or_of(Some(&long)), headers);
        TraceHeaders::default().or_of(Some(&long)).write_meta(&mut long);
        assert!(long.is_empty(), "{long:?}");
        let mut state = meta(&[
            ("traceparent", TWO),
            ("tracestate", &"x".repeat(513)),
            ("baggage", "a=1"),
        ]);
        let read = headers.or_of(Some(&state));
        assert_eq!(read.stored(), stored(TWO, "").stored());
        read.write_meta(&mut state);
        assert_eq!(
            state.to_bytes(),
            meta(&[("traceparent", TWO), ("baggage", "a=1")]).to_bytes()
        );
    }

    #[test]
    fn a_parent_without_a_state_drops_the_state_of_another() {
        let mut meta = meta(&[("traceparent", ONE), ("tracestate", "of=another")]);
        stored(TWO, "").write_meta(&mut meta);
        assert_eq!(meta.text("traceparent").as_deref(), Some(TWO));
        assert_eq!(meta.text("tracestate"), None);
    }

    /// What goes to a server of these headers of a client.
    fn passed_on(from: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in from {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut to = HeaderMap::new();
        TraceHeaders::of(&headers)
            .within(&Span::none())
            .write_headers(&mut to);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let mut passed: Vec<_> = to
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        passed.sort_unstable();
        passed
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect()
    }

    #[test]
    fn passes_three_headers_on_and_no_other() {
        let three = [("baggage", "a=1"), ("traceparent", ONE), ("tracestate", "a=1")];
        let others = [("authorization", "x"), ("cookie", "x")];
        assert_eq!(passed_on(&[&three[..], &others].concat()), owned(&three));
    }

    #[test]
    fn passes_on_nothing_that_is_not_valid() {
        let long = "x".repeat(70_000);
        assert_eq!(
            passed_on(&[("traceparent", &long), ("tracestate", "a=1"), ("baggage", &long)]),
            []
        );
        assert_eq!(
            passed_on(&[("traceparent", ONE), ("tracestate", &long)]),
            owned(&[("traceparent", ONE)])
        );
        assert_eq!(
            passed_on(&[("traceparent", ONE), ("traceparent", TWO)]),
            [],
            "which of them?"
        );
        let lists = [
            ("baggage", "a=1"),
            ("baggage", "b=2"),
            ("traceparent", ONE),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
        ];
        let joined = [
            ("baggage", "a=1,b=2"),
            ("traceparent", ONE),
            ("tracestate", "a=1,b=2"),
        ];
        assert_eq!(passed_on(&lists), owned(&joined));
    }

    #[test]
    fn an_empty_stored_context_is_none() {
        assert_eq!(stored("", "a\nb"), TraceHeaders::default());
        assert!(stored(ONE, "").has_parent());
    }

    /// What is passed on from within a span that `sampler` decides about.
    fn within_a_span(sampler: Sampler) -> TraceHeaders {
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("span");
            came_in().adopt(&span);
            came_in().within(&span)
        })
    }

    fn came_in() -> TraceHeaders {
        stored(ONE, "v=1")
    }

    #[test]
    fn a_recorded_span_is_the_parent_and_one_that_is_not_stays_out_of_the_way() {
        assert_eq!(within_a_span(Sampler::AlwaysOff), came_in());
        let within = within_a_span(Sampler::AlwaysOn).stored();
        assert_ne!(within.parent, ONE);
        assert!(
            within.parent.starts_with(&ONE[..36]) && within.parent.ends_with("-01"),
            "{within:?}"
        );
        assert_eq!(within.state, "v=1");
    }
}
