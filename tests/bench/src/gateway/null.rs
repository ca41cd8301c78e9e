//! The server that does nothing: one tool that answers at once, in either era, with JSON or with an event stream.
//!
//! It runs in the bench's own process, also behind nginx and the gateway. Invariant: what it writes does not depend on
//! who asks.

use std::io;

use super::form::{Form, TEXT};
use crate::json;
use crate::wire::{self, Answer, Message};

#[derive(Clone)]
struct Server {
    form: Form,
    /// What follows a call's id in the answer.
    tail: String,
}

/// Starts one that answers calls in this form; says its port.
pub(super) async fn start(form: Form) -> io::Result<u16> {
    let text = "y".repeat(TEXT);
    let kind = if form.is_modern {
        r#","resultType":"complete""#
    } else {
        ""
    };
    let tail =
        format!(r#","result":{{"content":[{{"type":"text","text":"{text}"}}],"isError":false{kind}}}}}"#);
    wire::serve(Server { form, tail }).await
}

impl Answer for Server {
    async fn answer(&self, request: Message) -> Vec<u8> {
        if !request.head.starts_with(b"POST") {
            return wire::response("405 Method Not Allowed", "", "");
        }
        let Some(id) = json::id(&request.body) else {
            return wire::response("202 Accepted", "", "");
        };
        match self.about(&request.body) {
            Some(result) => whole(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)),
            None if self.form.streams => streamed(&format!(r#"{{"jsonrpc":"2.0","id":{id}{}"#, self.tail)),
            None => whole(&format!(r#"{{"jsonrpc":"2.0","id":{id}{}"#, self.tail)),
        }
    }
}

impl Server {
    /// What it says of itself; `None` to a call.
    fn about(&self, request: &[u8]) -> Option<String> {
        let capabilities = r#""capabilities":{"tools":{}}"#;
        let info = r#"{"name":"null","version":"1"}"#;
        if json::has_method(request, "server/discover") && self.form.is_modern {
            return Some(format!(
                r#"{{"resultType":"complete","supportedVersions":["2026-07-28"],{capabilities},"ttlMs":3600000,"cacheScope":"public","_meta":{{"io.modelcontextprotocol/serverInfo":{info}}}}}"#
            ));
        }
        if json::has_method(request, "initialize") {
            return Some(format!(
                r#"{{"protocolVersion":"2025-06-18",{capabilities},"serverInfo":{info}}}"#
            ));
        }
        let caching = if self.form.is_modern {
            r#","resultType":"complete","ttlMs":3600000,"cacheScope":"public""#
        } else {
            ""
        };
        json::has_method(request, "tools/list")
            .then(|| format!(r#"{{"tools":[{{"name":"work","inputSchema":{{"type":"object"}}}}]{caching}}}"#))
    }
}

fn whole(body: &str) -> Vec<u8> {
    wire::response("200 OK", "mcp-session-id: bench\r\n", body)
}

/// One event, and the end.
fn streamed(body: &str) -> Vec<u8> {
    let event = format!("event: message\ndata: {body}\n\n");
    let length = event.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n{event}")
        .into_bytes()
}
