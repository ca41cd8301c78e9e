//! The tools behind the edge's tests, which behave well and badly.

use asyncmcp_fakes::mcp::{McpServer, Reaction};
use serde_json::json;

/// A result that no parser would write like this, and that no relay may change.
pub(super) const RESULT: &str = "{ \"content\":[ {\"type\":\"text\",\"text\":\"\\u0061\"} ], \"big\": 12345678901234567890123, \"zero\":1.00 }";

/// What `progress` says before its result.
pub(super) const NOTE: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1.0}}"#;

const QUESTION: &str = r#"{"jsonrpc":"2.0","id":77,"method":"sampling/createMessage","params":{ "x":1.0 }}"#;
const ERROR: &str = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-1,"message":"no","data":[ 1.0 ]}}"#;

/// A server with them. It answers in the version of its client and pushes nothing.
pub(super) async fn server() -> McpServer {
    let server = McpServer::start(&[]).await;
    server.nature().version = "";
    server.nature().declares = json!({"resources": {"subscribe": true}});
    for (tool, reaction) in [
        ("echo", Reaction::Result(RESULT)),
        ("progress", Reaction::Stream(vec![NOTE.to_owned()], RESULT)),
        ("asks", Reaction::Asks(QUESTION)),
        ("mute", Reaction::Stalls("application/json")),
        ("stalls", Reaction::Stalls("text/event-stream")),
        ("refuses", Reaction::Status(200, ERROR)),
        ("breaks", Reaction::body("text/event-stream", "")),
        ("falls_over", Reaction::Status(401, "secret words")),
        ("batch", Reaction::Result(RESULT)),
        ("safe_batch", Reaction::Result(RESULT)),
    ] {
        let hints = json!({"idempotentHint": tool.starts_with("safe")});
        let told = json!({"name": tool, "description": tool, "inputSchema": {"type": "object"}, "annotations": hints});
        server.nature().tools.push(told);
        server.on(tool, [reaction]);
    }
    server.on("notifications/hang", [Reaction::Hangs]);
    server.on("GET", [Reaction::Status(405, "")]);
    server
}
