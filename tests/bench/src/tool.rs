//! The MCP server behind the data plane: one tool that takes no time and answers 2 KiB.
//!
//! asyncmcp runs its tool inside its own process and has no server behind it. Invariant: answers at once,
//! with JSON, whatever session asks.

use std::io;

use crate::PAYLOAD;
use crate::json;
use crate::wire::{self, Answer, Message};

/// The tool's name, on either side.
pub(crate) const NAME: &str = "work";

#[derive(Clone)]
struct Server;

/// Starts the server; says its port.
pub(crate) async fn start() -> io::Result<u16> {
    wire::serve(Server).await
}

impl Answer for Server {
    async fn answer(&self, request: Message) -> Vec<u8> {
        if !request.head.starts_with(b"POST") {
            return wire::response("405 Method Not Allowed", "", "");
        }
        let Some(id) = json::id(&request.body) else {
            return wire::response("202 Accepted", "", "");
        };
        let result = about(&request.body, &[NAME]);
        response(id, &result.unwrap_or_else(result_of_a_call))
    }
}

/// A response of a server with these tools.
pub(crate) fn response(id: &str, result: &str) -> Vec<u8> {
    let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}");
    wire::response("200 OK", "mcp-session-id: bench\r\n", &body)
}

/// What a server with these tools says of itself; `None` to a call.
pub(crate) fn about(request: &[u8], tools: &[&str]) -> Option<String> {
    if json::has_method(request, "initialize") {
        let info = r#""serverInfo":{"name":"bench","version":"1"}"#;
        return Some(format!(
            r#"{{"protocolVersion":"2025-06-18","capabilities":{{"tools":{{}}}},{info}}}"#
        ));
    }
    if json::has_method(request, "tools/list") {
        let tool = |name: &&str| format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#);
        let tools: Vec<_> = tools.iter().map(tool).collect();
        return Some(format!(r#"{{"tools":[{}]}}"#, tools.join(",")));
    }
    None
}

fn result_of_a_call() -> String {
    let text = "y".repeat(PAYLOAD);
    format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"isError":false}}"#)
}
