//! The `tools/call` that a server gets for a job.
//!
//! Called by [`super::Runner`]. Invariant: arguments and `_meta` are the accepted bytes, which hold nothing that was meant
//! for the gateway; only the trace is the execution's own (SEP-414).

use std::time::Duration;

use asyncmcp_delivery::job::Call;
use asyncmcp_protocol::raw::{self, RawObject};
use asyncmcp_protocol::{Id, Request, tasks};

use crate::caller::trace::TraceHeaders;

/// The request under `id`, from the `params` that were accepted; with a `ttl`, as a task to be kept so long.
pub(super) fn request(
    call: &Call,
    params: &[u8],
    (id, ttl): (Id, Option<Duration>),
    trace: &TraceHeaders,
) -> Result<Request, raw::Error> {
    let accepted = RawObject::parse(params)?;
    let mut sent = RawObject::new();
    sent.set_value("name", &call.tool);
    if let Some(arguments) = accepted.get("arguments") {
        sent.set("arguments", arguments.to_owned());
    }
    if let Some(ttl) = ttl {
        sent.set("task", tasks::wanted(ttl).to_raw());
    }
    let mut request = Request::new(id, "tools/call", Some(sent));
    let mut meta = accepted.object("_meta")?.unwrap_or_default();
    trace.write_meta(&mut meta);
    request.set_meta(&meta);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use asyncmcp_delivery::job::Trace;

    use super::*;
    use crate::work::runner::tests::call;

    #[test]
    fn sends_the_accepted_bytes_in_a_trace_of_its_own() {
        let params = br#"{"name":"a_slow","arguments":{ "n":1e400 },"_meta":{"vendor/x":{ },"traceparent":"old","tracestate":"of=old"}}"#;
        let trace = TraceHeaders::of_stored(&Trace {
            parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            state: String::new(),
        });
        let sent = request(&call("slow"), params, (Id::number(1), None), &trace)
            .unwrap()
            .to_bytes();
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            concat!(
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{ "n":1e400 },"#,
                r#""_meta":{"vendor/x":{ },"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}}"#
            )
        );
    }

    #[test]
    fn a_task_is_asked_for_in_the_gateways_own_words() {
        let params = br#"{"name":"slow","task":{"ttl":1}}"#;
        let (ttl, untraced) = (Some(Duration::from_secs(90)), TraceHeaders::default());
        let sent = request(&call("slow"), params, (Id::number(1), ttl), &untraced).unwrap();
        let expected =
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","task":{"ttl":90000}}}"#;
        assert_eq!(String::from_utf8(sent.to_bytes()).unwrap(), expected);
    }
}
