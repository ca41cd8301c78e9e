//! The trace of a call across the store: spans that are linked to the accepting span.
//!
//! Execution and every attempt are roots of their own, for they may begin hours later and in
//! another process; the link (and `traceparent` towards servers and receivers) connects
//! them. Invariant: without an OTLP exporter the caller's own context is handed on, and whatever is handed on is valid
//! W3C Trace Context, whoever wrote it.

mod w3c;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::id::JobId;
use crate::job::{Call, Job, Trace};

/// The span of one execution.
/// `resumed`: whether it continues what an earlier process began.
pub(crate) fn execution(job: JobId, call: &Call, resumed: bool) -> Span {
    let span = tracing::info_span!(
        target: "asyncmcp::span::delivery",
        parent: None,
        "execute",
        otel.name = format!("execute {}", call.shown_as),
        job = %job,
        gen_ai.tool.name = call.shown_as,
        asyncmcp.resumed = resumed,
    );
    link(&span, &call.trace);
    span
}

/// The span of one attempt; `http.request.resend_count` counts the ones before it.
pub(crate) fn attempt(job: &Job, call: &Call) -> Span {
    let span = tracing::info_span!(
        target: "asyncmcp::span::delivery",
        parent: None,
        "deliver",
        otel.name = "POST",
        otel.kind = "client",
        otel.status_code = field::Empty,
        job = %job.id,
        gen_ai.tool.name = call.shown_as,
        http.request.method = "POST",
        http.request.resend_count = i64::from(job.attempts.saturating_sub(1)),
        http.response.status_code = field::Empty,
        error.type = field::Empty,
    );
    link(&span, &call.trace);
    span
}

fn link(span: &Span, trace: &Trace) {
    if let Some(context) = parse(trace) {
        span.add_link(context);
    }
}

/// The context to send onward: the current span's where it is recorded, else the `stored`.
pub fn outgoing(stored: &Trace) -> Trace {
    let context = Span::current().context();
    let current = context.span().span_context().clone();
    // A span that is not recorded has an id, too, but it leads nowhere.
    if current.is_sampled() {
        write(&current)
    } else {
        checked(&stored.parent, &stored.state) // an earlier version stored what it was given
    }
}

/// The context that these headers carry: none without a valid `traceparent`, and no `tracestate` but a valid one. Every
/// context that others wrote passes here, from a request's headers, its `_meta` or the store.
pub fn checked(parent: &str, state: &str) -> Trace {
    match w3c::parent(parent) {
        None => Trace::default(),
        Some(parent) => Trace {
            parent,
            state: if w3c::is_state(state) { state } else { "" }.to_owned(),
        },
    }
}

/// The same for the `baggage` header: `None` unless it may be passed on.
pub fn checked_baggage(baggage: &str) -> Option<String> {
    w3c::is_baggage(baggage).then(|| baggage.to_owned())
}

/// Writes a context as the headers of W3C Trace Context.
pub fn write(context: &SpanContext) -> Trace {
    let flags = context.trace_flags() & TraceFlags::SAMPLED;
    Trace {
        parent: format!(
            "00-{:032x}-{:016x}-{:02x}",
            context.trace_id(),
            context.span_id(),
            flags
        ),
        state: context.trace_state().header(),
    }
}

/// Reads the headers of W3C Trace Context; `None` unless they name a valid remote span.
pub fn parse(trace: &Trace) -> Option<SpanContext> {
    let Trace { parent, state } = checked(&trace.parent, &trace.state);
    let mut fields = parent.split('-').skip(1);
    let (id, span, flags) = (fields.next()?, fields.next()?, fields.next()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (id, span) = (TraceId::from_hex(id).ok()?, SpanId::from_hex(span).ok()?);
    let state = state.parse::<TraceState>().unwrap_or_default();
    Some(SpanContext::new(id, span, flags, true, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trace(parent: &str) -> Trace {
        Trace {
            parent: parent.to_owned(),
            state: "vendor=1".to_owned(),
        }
    }

    #[test]
    fn reads_back_what_it_writes() {
        let context = parse(&trace(PARENT)).unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(write(&context), trace(PARENT));
    }

    #[test]
    fn refuses_what_names_no_span() {
        for parent in [
            "",
            "00-0-0-0",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bz-01",
        ] {
            assert!(parse(&trace(parent)).is_none(), "{parent}");
        }
    }

    #[test]
    fn hands_on_the_stored_context_when_nothing_is_traced_here() {
        assert_eq!(outgoing(&trace(PARENT)), trace(PARENT));
    }

    #[test]
    fn an_invalid_state_goes_alone_and_an_invalid_parent_takes_it_along() {
        assert_eq!(checked(PARENT, "vendor=1"), trace(PARENT));
        let without_state = Trace {
            state: String::new(),
            ..trace(PARENT)
        };
        assert_eq!(checked(PARENT, &"x".repeat(70_000)), without_state);
        assert_eq!(
            checked("evil value; not a traceparent", "vendor=1"),
            Trace::default()
        );
    }

    #[test]
    fn hands_on_nothing_of_a_stored_context_that_is_not_valid() {
        assert_eq!(outgoing(&trace(&"x".repeat(70_000))), Trace::default());
    }
}
