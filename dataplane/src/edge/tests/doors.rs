//! What is refused before it gets anywhere: bad input, one row each.

use std::time::Duration;

use asyncmcp_delivery::clock::Millis;
use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation, InitializeParams};
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use super::gateway::{BOTH, Gateway, Reply, initialize};
use crate::caller::session::LegacySession;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// A session id of this gateway's own ring, for this route and time.
fn sealed(gateway: &Gateway, route: &str, expires: u64) -> String {
    let params = InitializeParams {
        protocol_version: "2025-11-25".into(),
        capabilities: ClientCapabilities::NONE,
        client_info: Implementation::new("c", "1"),
        webhook_url: None,
    };
    let (opened, lifetime) = (Millis(expires.saturating_sub(120_000)), Duration::from_mins(2));
    LegacySession::of(params, None, [1; 16], (opened, lifetime)).seal(&gateway.edge.ring, route, [0; 12])
}

#[tokio::test]
async fn bodies_and_headers_that_are_wrong() {
    let gateway = Gateway::start("").await;
    let big = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","pad":"{}"}}"#,
        "x".repeat(5 << 20)
    );
    let twice =
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"p_echo","name":"p_batch"}}"#;
    let in_meta = r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"a":1,"a":2}}}"#;
    let modern = r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    for (headers, body, status, code) in [
        (&[][..], "{", 400, -32700),
        (&[], "", 400, -32700),
        (&[], "5", 400, -32600),
        (&[], "{}", 400, -32600),
        (&[], r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, 400, -32600),
        (&[], r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, 400, -32600),
        (&[], twice, 400, -32600),
        (&[], in_meta, 400, -32600),
        (&[], &big, 413, -32600),
        (&[], PING, 400, -32600),
        (
            &[],
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            400,
            -32600,
        ),
        (&[("mcp-session-id", "nonsense")], PING, 404, -32600),
        (&[("content-type", "text/plain")], PING, 415, -32600),
        (&[("accept", "text/html")], PING, 406, -32600),
        (&[("origin", "http://evil.example")], PING, 403, -32600),
        (&[("host", "evil.example")], PING, 403, -32600),
        (&[("mcp-protocol-version", "2026-07-28")], PING, 400, -32602),
        (&[("mcp-protocol-version", "2027-01-01")], "[]", 400, -32600),
        (&[("mcp-protocol-version", "2027-01-01")], "[5]", 400, -32600),
        (&[("mcp-protocol-version", "2027-01-01")], PING, 400, -32022),
        (&[("mcp-protocol-version", "1999-01-01")], PING, 400, -32022),
        (&[], modern, 400, -32602),
    ] {
        let reply = gateway.post(headers, body.to_owned()).await;
        let sent = &body[..body.len().min(120)];
        assert_eq!(reply.refusal(), (status, code), "{headers:?} {sent}: {reply:?}");
    }
}

#[tokio::test]
async fn a_client_of_a_later_version_is_told_which_versions_are_left_to_it() {
    let gateway = Gateway::start("").await;
    let probe = r#"{"jsonrpc":"2.0","id":"p","method":"server/discover"}"#;
    let reply = gateway
        .post(&[("mcp-protocol-version", "2027-01-01")], probe)
        .await
        .json();
    assert_eq!(reply["id"], "p");
    let supported = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"];
    let data = json!({"supported": supported, "requested": "2027-01-01"});
    assert_eq!(reply["error"]["data"], data);
}

#[tokio::test]
async fn sessions_that_are_over_or_another_routes_are_unknown() {
    let gateway = Gateway::start("").await;
    let ours = gateway.edge.live.borrow().identity();
    let later = gateway.edge.calls.clock.now().0 + 60_000;
    for (route, expires, status) in [
        (ours.as_str(), later, 200),
        (&ours, later - 60_000, 404),
        ("default/other", later, 404),
    ] {
        let id = sealed(&gateway, route, expires);
        let reply = gateway.post(&[("mcp-session-id", &id)], PING).await;
        assert_eq!(reply.status, status, "{route} {expires}: {reply:?}");
    }
}

#[tokio::test]
async fn a_batch_is_for_sessions_of_the_one_version_that_has_them() {
    let gateway = Gateway::start("").await;
    let batch = format!("[{PING}]");
    for (version, refusal) in [("2025-11-25", (400, -32600)), ("2025-06-18", (400, -32600))] {
        let client = gateway.client_of(version, json!({})).await;
        assert_eq!(client.post(batch.clone()).await.refusal(), refusal, "{version}");
    }
    let client = gateway.client_of("2025-03-26", json!({})).await;
    assert_eq!(
        client.post(batch).await.body,
        r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#
    );
}

#[tokio::test]
async fn a_client_gets_the_kind_of_answer_that_it_accepts() {
    let gateway = Gateway::start("").await;
    let body = initialize("2025-11-25", &json!({})).to_string();
    for (accept, kind) in [
        ("application/json", "application/json"),
        ("text/event-stream", "text/event-stream"),
        ("*/*", "application/json"),
    ] {
        let accept = ("accept", accept);
        let opened = gateway.post(&[accept], body.clone()).await;
        assert_eq!(opened.headers["content-type"], kind, "{accept:?}");
        let id = opened.headers["mcp-session-id"].to_str().unwrap();
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"p_echo"}}"#;
        for message in [PING, call] {
            let reply = gateway.post(&[accept, ("mcp-session-id", id)], message).await;
            let is_stream = reply.body.starts_with("event: message\ndata: {");
            assert_eq!(reply.headers["content-type"], kind, "{accept:?} {message}");
            assert_eq!(is_stream, kind == "text/event-stream", "{reply:?}");
        }
    }
}

async fn ask(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::read(gateway.send(request.body(Body::empty()).unwrap()).await).await
}

#[tokio::test]
async fn other_methods_and_paths() {
    let gateway = Gateway::start("").await;
    for method in ["PUT", "PATCH", "HEAD"] {
        let reply = ask(&gateway, method, "/mcp", &[]).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(reply.headers["allow"], "GET, POST, DELETE, OPTIONS");
    }
    for method in ["GET", "DELETE"] {
        let modern = ("mcp-protocol-version", "2026-07-28");
        let reply = ask(&gateway, method, "/mcp", &[modern]).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(reply.headers["allow"], "POST, OPTIONS");
    }
    assert_eq!(ask(&gateway, "GET", "/", &[]).await.status, StatusCode::NOT_FOUND);
    let stream = ("accept", "text/event-stream");
    assert_eq!(
        ask(&gateway, "GET", "/mcp", &[("accept", "text/html")])
            .await
            .refusal(),
        (406, -32600)
    );
    assert_eq!(
        ask(&gateway, "GET", "/mcp", &[stream]).await.refusal(),
        (400, -32600)
    );
    assert_eq!(
        ask(&gateway, "GET", "/mcp", &[stream, ("mcp-session-id", "x")])
            .await
            .refusal(),
        (404, -32600)
    );
    assert_eq!(
        ask(&gateway, "DELETE", "/mcp", &[]).await.refusal(),
        (400, -32600)
    );
}

#[tokio::test]
async fn the_path_follows_the_route() {
    let gateway = Gateway::start("").await;
    gateway.change_route("  transport: {path: /tools}\n");
    assert_eq!(
        ask(&gateway, "OPTIONS", "/mcp", &[]).await.status,
        StatusCode::NOT_FOUND
    );
    for path in ["/tools", "/tools/"] {
        let reply = ask(&gateway, "OPTIONS", path, &[]).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{path}");
    }
}

#[tokio::test]
async fn a_browser_is_told_what_it_may_do() {
    let gateway = Gateway::start("").await;
    let origin = ("origin", "http://localhost:8080");
    let preflight = ask(&gateway, "OPTIONS", "/mcp", &[origin]).await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(
        preflight.headers["access-control-allow-origin"],
        "http://localhost:8080"
    );
    assert_eq!(
        preflight.headers["access-control-allow-methods"],
        "GET, POST, DELETE, OPTIONS"
    );
    assert_eq!(preflight.headers.get_all("vary").iter().count(), 1);
    let refused = ask(&gateway, "OPTIONS", "/mcp", &[("origin", "http://evil.example")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
    let body = initialize("2025-11-25", &json!({})).to_string();
    let reply = gateway.post(&[origin, ("accept", BOTH)], body).await;
    let exposed = reply.headers["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("Mcp-Session-Id"), "{exposed}");
}

/// Over a real connection: a client that has not finished sending must not lose the answer.
#[tokio::test]
async fn who_sends_too_much_gets_to_read_why() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let gateway = Gateway::start("").await;
    let (address, body) = (gateway.listen().await, vec![b' '; 6 << 20]);
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: {BOTH}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&body).await.unwrap();
    let mut answer = [0; 32];
    connection.read_exact(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}
