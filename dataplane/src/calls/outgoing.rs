//! A client's request as its server is to get it.
//!
//! [`super::forward`] sends it at once, [`super::accept`] stores the parameters of a job. Invariant: the arguments keep their bytes,
//! and of `_meta` nothing is passed on that was meant for the gateway.

use asyncmcp_protocol::{RawObject, Request, modern};
use bytes::Bytes;

use super::target::{Target, Tasks};
use crate::caller::trace::TraceHeaders;
use crate::servers::catalogue::Tool;

/// Puts in the name that the server knows, takes out what is meant for the gateway, and puts the trace in (SEP-414).
/// Everything else keeps its bytes.
pub(super) fn adapt(request: &mut Request, target: &Target, trace: &TraceHeaders) {
    let mut meta = request.meta().unwrap_or_default();
    clean(&mut meta);
    trace.write_meta(&mut meta);
    request.set_meta(&meta);
    let params = request.params.get_or_insert_default();
    // Where the client does not ask for a task of the server's by it, the field is for the gateway or means nothing
    // (2025-11-25, Tasks), and must not mean anything to the server either.
    if target.tool.is_some() && !matches!(target.tasks, Tasks::Wanted(_)) {
        params.remove("task");
    }
    target.rename(params);
}

/// The `params` of a job. Nobody listens for its progress, so none is asked for.
pub(super) fn params_of_job(request: &Request, tool: &Tool, trace: &TraceHeaders) -> Bytes {
    let mut request = request.clone();
    adapt(&mut request, &Target::of_tool(tool), trace);
    let mut meta = request.meta().unwrap_or_default();
    meta.remove("progressToken");
    request.set_meta(&meta);
    request.params.unwrap_or_default().to_bytes().into()
}

/// Takes out of a client's `_meta` what is meant for the gateway, and the envelope of a modern request: a server of both
/// eras would take the call for a modern one.
fn clean(meta: &mut RawObject) {
    let envelope = |key: &str| {
        let keys = [
            modern::META_PROTOCOL_VERSION,
            modern::META_CLIENT_CAPABILITIES,
            modern::META_CLIENT_INFO,
            modern::META_LOG_LEVEL,
        ];
        keys.contains(&key)
    };
    meta.retain(|key| !key.starts_with("dev.asyncmcp/") && key != "webhookUrl" && !envelope(key));
}

#[cfg(test)]
mod tests {
    use asyncmcp_delivery::job::Trace;
    use asyncmcp_protocol::Message;

    use super::*;

    fn tool() -> Tool {
        Tool {
            server: "a".into(),
            name: "slow".into(),
            shown_as: "a_slow".into(),
            webhook: None,
            repeatable: false,
            as_task: false,
            needs_task: false,
        }
    }

    fn request(params: &str) -> Request {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        match Message::parse(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn params(params: &str, parent: &str) -> String {
        let trace = Trace {
            parent: parent.to_owned(),
            state: String::new(),
        };
        let params = params_of_job(&request(params), &tool(), &TraceHeaders::of_stored(&trace));
        String::from_utf8(params.to_vec()).unwrap()
    }

    #[test]
    fn a_job_keeps_the_clients_bytes_and_nothing_that_was_for_the_gateway() {
        let given = r#"{"name":"a_slow","arguments":{ "n":1e400, "n2": 10000000000000000000001 },"task":{"ttl":1},"_meta":{"progressToken":7,"webhookUrl":"http://x","dev.asyncmcp/idempotencyKey":"k","io.modelcontextprotocol/protocolVersion":"2026-07-28","vendor/x":{ },"traceparent":"old","tracestate":"of=old"}}"#;
        let kept = r#"{"name":"slow","arguments":{ "n":1e400, "n2": 10000000000000000000001 },"_meta":{"vendor/x":{ },"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}"#;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(params(given, trace), kept);
    }

    #[test]
    fn an_empty_meta_goes() {
        assert_eq!(
            params(r#"{"name":"a_slow","_meta":{"progressToken":7}}"#, ""),
            r#"{"name":"slow"}"#
        );
    }
}
