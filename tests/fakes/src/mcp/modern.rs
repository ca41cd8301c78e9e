//! The modern era of the server (MCP 2026-07-28): no sessions, and headers that repeat the body.
//!
//! Invariant: what a real server would refuse is refused here, and counted as seen.

use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::StatusCode;
use serde_json::{Value, json};

use super::{McpServer, Reaction, Seen, json_body, list, response};

/// The version.
pub const VERSION: &str = "2026-07-28";
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Which eras the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    /// Sessions only.
    #[default]
    Legacy,
    /// No sessions.
    Modern,
    /// Whatever it is asked in.
    Both,
}

/// The answer, where the request is of an era that this module is about.
pub(super) async fn answer(server: &McpServer, seen: &Seen) -> Option<Response> {
    let (speaks, is_modern) = (
        server.nature().speaks,
        header(seen, "mcp-protocol-version") == VERSION,
    );
    match speaks {
        Speaks::Legacy => None,
        Speaks::Both if !is_modern => None,
        Speaks::Modern if !is_modern => {
            let data = json!({"supported": [VERSION], "requested": header(seen, "mcp-protocol-version")});
            Some(error(seen, 400, -32022, "Unsupported protocol version", &data))
        }
        Speaks::Modern | Speaks::Both => Some(of_its_era(server, seen).await),
    }
}

async fn of_its_era(server: &McpServer, seen: &Seen) -> Response {
    if seen.http != http::Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Some(flaw) = flaw(seen) {
        return error(seen, 400, -32020, flaw, &Value::Null);
    }
    let scripted = super::scripted(server, seen);
    if scripted.is_none()
        && let Some(answer) = super::content::answer(server, seen)
    {
        return match answer {
            Ok(content) => result(seen, &complete(seen, content)),
            // There is no code of its own for what is not found in this era.
            Err((_, message)) => error(
                seen,
                200,
                -32602,
                message,
                &json!({"uri": seen.body["params"]["uri"]}),
            ),
        };
    }
    let reaction = match (scripted, seen.method()) {
        (Some(reaction), _) => reaction,
        (None, "server/discover") => return result(seen, &discover(&server.nature().capabilities())),
        (None, "tools/list") => {
            let mut tools = list(server, seen);
            tools["ttlMs"] = 5000.into();
            tools["cacheScope"] = "public".into();
            tools["resultType"] = "complete".into();
            return result(seen, &tools);
        }
        (None, "tools/call") => Reaction::Result(r#"{"resultType":"complete","content":[ ]}"#),
        (None, "subscriptions/listen") if !server.nature().declares["resources"].is_null() => {
            return listen(server, seen);
        }
        (None, _) => return error(seen, 404, -32601, "Method not found", &Value::Null),
    };
    let token = &seen.body["params"]["_meta"]["progressToken"];
    reaction.under(token).happen(server, seen).await
}

/// What is wrong with the request, as far as this server looks.
fn flaw(seen: &Seen) -> Option<&'static str> {
    let params = &seen.body["params"];
    let meta = &params["_meta"];
    if meta[META_VERSION] != VERSION || !meta[META_CAPABILITIES].is_object() {
        return Some("the _meta is not complete");
    }
    if header(seen, "mcp-method") != seen.method() {
        return Some("Mcp-Method is not the method");
    }
    let member = match seen.method() {
        "resources/read" => "uri",
        method if method.starts_with("tasks/") => "taskId",
        _ => "name",
    };
    let name = params[member].as_str().unwrap_or_default();
    if name.is_ascii() && header(seen, "mcp-name") != name {
        return Some("Mcp-Name is not the name");
    }
    seen.headers
        .contains_key("mcp-session-id")
        .then_some("there are no sessions")
}

/// What this era has in every result, and in those that may be kept.
fn complete(seen: &Seen, mut content: Value) -> Value {
    content["resultType"] = "complete".into();
    if !matches!(seen.method(), "prompts/get" | "completion/complete") {
        content["ttlMs"] = 5000.into();
        content["cacheScope"] = "public".into();
    }
    content
}

fn discover(capabilities: &Value) -> Value {
    json!({"resultType": "complete", "supportedVersions": [VERSION], "capabilities": capabilities,
        "instructions": "Be modern.", "ttlMs": 60000, "cacheScope": "public"})
}

/// Acknowledges all that is asked for, and then says what is pushed.
fn listen(server: &McpServer, seen: &Seen) -> Response {
    let id = seen.body["id"].clone();
    let asked = &seen.body["params"]["notifications"];
    let acknowledged = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": asked}});
    let pushed = futures::stream::iter([acknowledged]).chain(server.pushed());
    let written = pushed.map(move |mut message| {
        message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] = id.clone();
        message
    });
    super::said(written)
}

fn header<'a>(seen: &'a Seen, name: &str) -> &'a str {
    let value = seen.headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn result(seen: &Seen, result: &Value) -> Response {
    json_body(response(&seen.body["id"], &result.to_string()))
}

fn error(seen: &Seen, status: u16, code: i64, message: &str, data: &Value) -> Response {
    let error = json!({"code": code, "message": message, "data": data});
    let body = json!({"jsonrpc": "2.0", "id": seen.body["id"], "error": error});
    let mut response = json_body(body.to_string());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}
