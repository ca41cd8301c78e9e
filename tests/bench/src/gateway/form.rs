//! The four forms of a call: the protocol's two eras, answered with JSON or with an event stream.
//!
//! Invariant: within an era, requests differ in their id alone.

use std::fmt;

use crate::wire::Message;

/// Bytes of text in arguments and results.
pub(super) const TEXT: usize = 256;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether calls stand for themselves (2026-07-28), without a session.
    pub(super) is_modern: bool,
    /// Whether the server answers with an event stream.
    pub(super) streams: bool,
}

impl Form {
    pub(super) const ALL: [Self; 4] = [
        Self::of(false, false),
        Self::of(false, true),
        Self::of(true, false),
        Self::of(true, true),
    ];

    pub(super) const fn of(is_modern: bool, streams: bool) -> Self {
        Self { is_modern, streams }
    }

    /// A call of this tool, in the session with this id where there are any.
    pub(super) fn call(self, tool: &str, id: u64, session: &str) -> Vec<u8> {
        let text = "x".repeat(TEXT);
        let meta = if self.is_modern { META } else { "" };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{text}"}}{meta}}}}}"#
        );
        let headers = if self.is_modern {
            format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n")
        } else {
            format!("mcp-protocol-version: 2025-06-18\r\nmcp-session-id: {session}\r\n")
        };
        post(&headers, &body)
    }

    /// The request that opens a session. asyncmcp asks for a receiver, also where no result goes to one.
    pub(super) fn initialize() -> Vec<u8> {
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"},"_meta":{"webhookUrl":"http://127.0.0.1:9/webhook"}}}"#;
        post("", body)
    }

    /// The notification that follows.
    pub(super) fn initialized(session: &str) -> Vec<u8> {
        let body = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        post(
            &format!("mcp-protocol-version: 2025-06-18\r\nmcp-session-id: {session}\r\n"),
            body,
        )
    }

    /// Whether `answer` is the result of a call in this form.
    pub(super) fn is_answer(self, answer: &Message) -> bool {
        let kind = answer.header("content-type").unwrap_or_default();
        let expected = if self.streams {
            "text/event-stream"
        } else {
            "application/json"
        };
        kind.starts_with(expected) && answer.body.windows(8).any(|part| part == b"\"content")
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let era = if self.is_modern {
            "2026-07-28"
        } else {
            "2025-06-18"
        };
        let kind = if self.streams { "event stream" } else { "JSON" };
        write!(f, "{era}, {kind}")
    }
}

const META: &str = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}"#;

/// A POST of this body.
pub(super) fn post(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
