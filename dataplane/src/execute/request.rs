//! The `tools/call` that a server gets for a job.
//!
//! Called by [`super::Runner`]. Invariant: the arguments are the client's bytes; of `_meta`
//! nothing goes on that was meant for the gateway or that nobody would hear the answer to.

use std::time::Duration;

use asyncmcp_delivery::job::Call;
use asyncmcp_protocol::raw::{self, RawObject};
use asyncmcp_protocol::{Id, Request, tasks};

use crate::upstream::TraceHeaders;

/// What `_meta` keys of the gateway's own begin with.
const OURS: &str = "dev.asyncmcp/";

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
    request.set_meta(&meta(accepted.object("_meta")?.unwrap_or_default(), trace));
    Ok(request)
}

/// Progress has nobody to go to, and the trace goes on from here (SEP-414).
fn meta(mut meta: RawObject, trace: &TraceHeaders) -> RawObject {
    let kept = |key: &str| !(key == "progressToken" || key == "webhookUrl" || key.starts_with(OURS));
    meta.retain(kept);
    for (key, value) in [("traceparent", &trace.parent), ("tracestate", &trace.state)] {
        if let Some(Ok(text)) = value.as_ref().map(http::HeaderValue::to_str) {
            meta.set_value(key, text);
        }
    }
    meta
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::tests::call;

    #[test]
    fn sends_the_clients_bytes_and_nothing_that_was_for_the_gateway() {
        let params = br#"{"name":"a_slow","arguments":{ "n":1e400, "n2": 10000000000000000000001 },"task":{"ttl":1},
            "_meta":{"progressToken":7,"webhookUrl":"http://x","dev.asyncmcp/idempotencyKey":"k","vendor/x":{ },"traceparent":"old"}}"#;
        let trace = TraceHeaders::stored("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "");
        let sent = request(&call("slow"), params, (Id::number(1), None), &trace)
            .unwrap()
            .to_bytes();
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            concat!(
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","#,
                r#""arguments":{ "n":1e400, "n2": 10000000000000000000001 },"#,
                r#""_meta":{"vendor/x":{ },"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}}"#
            )
        );
    }

    #[test]
    fn an_empty_meta_goes() {
        let params = br#"{"name":"slow","_meta":{"progressToken":7}}"#;
        let untraced = TraceHeaders::default();
        let sent = request(&call("slow"), params, (Id::number(1), None), &untraced).unwrap();
        let expected = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}"#;
        assert_eq!(String::from_utf8(sent.to_bytes()).unwrap(), expected);
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
