//! Modern clients in front of a legacy server: what is checked, what is answered, and what the server is asked.

use asyncmcp_fakes::eventually;
use asyncmcp_fakes::mcp::Reaction;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::example;
use super::gateway::{BOTH, Gateway, Reply};
use crate::tests::route::SOON;

const VERSION: &str = "2026-07-28";

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "7"},
        "io.modelcontextprotocol/clientCapabilities": {"sampling": {}},
    })
}

fn body(id: u64, method: &str, mut params: Value) -> String {
    let mut all = meta();
    for (key, value) in params["_meta"].as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    params["_meta"] = all;
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

async fn ask(gateway: &Gateway, method: &str, params: Value) -> Reply {
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    let mut headers = vec![("mcp-protocol-version", VERSION), ("mcp-method", method)];
    if !name.is_empty() {
        headers.push(("mcp-name", &name));
    }
    gateway.post(&headers, body(9, method, params)).await
}

/// A call whose answer is read as it comes.
async fn stream(gateway: &Gateway, tool: &str, params: Value) -> axum::response::Response {
    let mut params = params;
    params["name"] = tool.into();
    let request = Request::post("/mcp")
        .header("host", "localhost")
        .header("accept", BOTH)
        .header("content-type", "application/json")
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    let body = Body::from(body(9, "tools/call", params));
    gateway.send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn each_way_to_be_wrong_has_its_answer() {
    let gateway = Gateway::start("").await;
    let list = body(1, "tools/list", json!({}));
    let call = body(1, "tools/call", json!({"name": "p_echo"}));
    let (version, method) = (("mcp-protocol-version", VERSION), ("mcp-method", "tools/list"));
    let calling = ("mcp-method", "tools/call");
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let bare = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let old = list.replace(VERSION, "2031-01-01");
    let ping = body(1, "ping", json!({}));
    let begin = body(1, "initialize", json!({}));
    for (headers, body, status, code) in [
        (&[version, method][..], &*list, 200, 0),
        (
            &[version, method, ("mcp-session-id", "x"), ("last-event-id", "1")],
            &list,
            200,
            0,
        ),
        (&[], &list, 400, -32020),
        (&[version], &list, 400, -32020),
        (&[method], &list, 400, -32020),
        (
            &[("mcp-protocol-version", "2025-11-25"), method],
            &list,
            400,
            -32020,
        ),
        (&[version, calling], &list, 400, -32020),
        (&[version, calling], &call, 400, -32020),
        (&[version, calling, ("mcp-name", "p_mute")], &call, 400, -32020),
        (
            &[version, calling, ("mcp-name", "=?base64?cF9lY2hv?=")],
            &call,
            200,
            0,
        ),
        (&[version, method], bare, 400, -32602),
        (
            &[("mcp-protocol-version", "2031-01-01"), method],
            &old,
            400,
            -32022,
        ),
        (&[("mcp-protocol-version", "2031-01-01")], bare, 400, -32022),
        (&[version, ("mcp-method", "ping")], &ping, 404, -32601),
        (&[version, ("mcp-method", "initialize")], &begin, 404, -32601),
        (&[version], "[]", 400, -32600),
        (&[version], "[5]", 400, -32600),
        (&[version], answer, 400, -32600),
    ] {
        let reply = gateway.post(headers, body.to_owned()).await;
        let refusal = (
            reply.status.as_u16(),
            reply.json()["error"]["code"].as_i64().unwrap_or(0),
        );
        assert_eq!(refusal, (status, code), "{headers:?} {body}: {reply:?}");
        assert!(!reply.headers.contains_key("mcp-session-id"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_notification_needs_no_meta_and_gets_no_body() {
    let gateway = Gateway::start("").await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    let accepted = gateway.post(&[("mcp-protocol-version", VERSION)], note).await;
    assert_eq!((accepted.status.as_u16(), accepted.body.as_str()), (202, ""));
    let newer = gateway
        .post(&[("mcp-protocol-version", "2031-01-01")], note)
        .await;
    assert_eq!(newer.refusal(), (400, -32022));
}

#[tokio::test]
async fn a_version_that_is_unknown_is_answered_with_those_that_are_known() {
    let gateway = Gateway::start("").await;
    let headers = [
        ("mcp-protocol-version", "2031-01-01"),
        ("mcp-method", "server/discover"),
    ];
    let discover = body(1, "server/discover", json!({})).replace(VERSION, "2031-01-01");
    let reply = gateway.post(&headers, discover).await.json();
    let supported = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"];
    let data = json!({"supported": supported, "requested": "2031-01-01"});
    assert_eq!(reply["error"]["data"], data);
}

#[tokio::test]
async fn there_is_no_stream_and_no_session_to_end() {
    let gateway = Gateway::start("").await;
    for method in ["GET", "DELETE"] {
        let request = Request::builder()
            .method(method)
            .uri("/mcp")
            .header("host", "localhost")
            .header("accept", "text/event-stream")
            .header("mcp-protocol-version", VERSION);
        let reply = Reply::read(gateway.send(request.body(Body::empty()).unwrap()).await).await;
        assert_eq!(reply.status.as_u16(), 405, "{method}");
        assert_eq!(reply.headers["allow"], "POST, OPTIONS");
    }
}

#[tokio::test]
async fn discover_is_answered_without_a_server() {
    let gateway = Gateway::start("").await;
    gateway.server.on("POST", [Reaction::Hangs]);
    let reply = ask(&gateway, "server/discover", json!({})).await.json();
    let result = &reply["result"];
    assert_eq!(result["supportedVersions"][0], VERSION);
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["capabilities"], json!({"tools": {}}));
    assert!(
        result["ttlMs"].is_u64() && result["cacheScope"] == "private",
        "{result}"
    );
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "asyncmcp"
    );
}

#[tokio::test]
async fn a_list_has_what_modern_clients_need_and_nothing_of_tasks() {
    let gateway = Gateway::start("  webhookTools: [{name: p_batch}]\n").await;
    let tasks = json!({"name": "lasting", "inputSchema": {"type": "object"}, "execution": {"taskSupport": "optional"}});
    gateway.server.nature().tools.push(tasks);
    let result = ask(&gateway, "tools/list", json!({})).await.json()["result"].clone();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        (&result["ttlMs"], &result["cacheScope"]),
        (&10_000.into(), &"private".into())
    );
    let tools = result["tools"].as_array().unwrap();
    assert!(
        tools.iter().all(|tool| tool.get("execution").is_none()),
        "{tools:?}"
    );
    assert!(tools.iter().any(|tool| tool["name"] == "p_lasting"));
    let batch = tools.iter().find(|tool| tool["name"] == "p_batch").unwrap();
    assert_eq!(batch["_meta"]["dev.asyncmcp/delivery"], "webhook");
}

#[tokio::test]
async fn a_list_that_lacks_a_server_is_not_to_be_kept() {
    let gateway = Gateway::start("").await;
    gateway.server.on("tools/list", [Reaction::Status(500, "no")]);
    let result = ask(&gateway, "tools/list", json!({})).await.json()["result"].clone();
    assert_eq!((&result["tools"], &result["ttlMs"]), (&json!([]), &0.into()));
}

#[tokio::test]
async fn a_call_keeps_its_bytes_under_the_clients_id_in_a_session_of_the_gateways() {
    let gateway = Gateway::start("").await;
    let reply = ask(
        &gateway,
        "tools/call",
        json!({"name": "p_echo", "arguments": {"n": 1}}),
    )
    .await;
    let values = [
        r#""content":[ {"type":"text","text":"\u0061"} ]"#,
        r#""big":12345678901234567890123"#,
        r#""zero":1.00"#,
    ];
    for value in values {
        assert!(reply.body.contains(value), "{value} in {}", reply.body);
    }
    assert!(
        reply.body.starts_with(r#"{"jsonrpc":"2.0","id":9,"#),
        "{}",
        reply.body
    );
    assert_eq!(reply.json()["result"]["resultType"], "complete");
    let call = gateway.hears("tools/call").await;
    assert!(
        call.body["id"].as_str().unwrap().starts_with("asyncmcp:"),
        "{call:?}"
    );
    assert_eq!(call.body["params"]["name"], "echo");
    let opened = gateway.server.seen("initialize");
    let ours = opened
        .iter()
        .find(|seen| seen.body["params"]["capabilities"] == json!({}));
    let ours = ours.expect("a session in which nobody can be asked");
    assert_eq!(ours.body["params"]["clientInfo"]["name"], "asyncmcp");
}

#[tokio::test]
async fn many_calls_share_one_session_with_the_server() {
    let gateway = Gateway::start("").await;
    for _ in 0..5 {
        ask(&gateway, "tools/call", json!({"name": "p_echo"})).await;
    }
    let calls = gateway.server.seen("tools/call");
    let sessions: std::collections::HashSet<_> = calls
        .iter()
        .map(|call| call.headers["mcp-session-id"].clone())
        .collect();
    let ids: std::collections::HashSet<_> = calls.iter().map(|call| call.body["id"].to_string()).collect();
    assert_eq!((calls.len(), sessions.len(), ids.len()), (5, 1, 5));
}

#[tokio::test]
async fn a_servers_question_is_declined_since_the_session_declares_nothing() {
    let gateway = Gateway::start("").await;
    let reply = ask(&gateway, "tools/call", json!({"name": "p_asks"})).await;
    assert!(reply.body.contains("-32601"), "the server heard: {}", reply.body);
    assert!(!reply.body.contains(r#""method":"sampling"#), "{}", reply.body);
}

#[tokio::test]
async fn what_is_not_found_has_the_modern_code() {
    let gateway = Gateway::start("").await;
    let error = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32002,"message":"no","data":[ 1.0 ]}}"#;
    gateway.server.on("echo", [Reaction::Status(200, error)]);
    let reply = ask(&gateway, "tools/call", json!({"name": "p_echo"})).await;
    assert_eq!(reply.json()["error"]["code"], -32602);
    assert!(reply.body.contains("[ 1.0 ]"), "{}", reply.body);
    let unknown = ask(&gateway, "tools/call", json!({"name": "p_nothing"})).await;
    assert_eq!(unknown.refusal(), (200, -32602));
}

#[tokio::test]
async fn a_client_that_goes_away_has_cancelled_its_call() {
    let gateway = Gateway::start("").await;
    let response = stream(&gateway, "p_stalls", json!({})).await;
    let call = gateway.hears("tools/call").await;
    assert!(gateway.server.seen("notifications/cancelled").is_empty());
    drop(response);
    let cancelled = gateway.hears("notifications/cancelled").await;
    assert_eq!(cancelled.body["params"]["requestId"], call.body["id"]);
    eventually(SOON, async || gateway.edge.calls.in_progress.calls.count() == 0).await;
}

#[tokio::test]
async fn a_webhook_call_is_acknowledged_by_a_complete_result_and_once_per_key() {
    let spec = "  webhookTools: [{name: p_batch}]\n  webhook: {receivers: {default: {url: \"http://127.0.0.1:9/\"}}}\n";
    let gateway = Gateway::start(spec).await;
    let key = json!({"name": "p_batch", "_meta": {"dev.asyncmcp/idempotencyKey": "k"}});
    let first = ask(&gateway, "tools/call", key.clone()).await.json();
    assert_eq!(first["result"]["resultType"], "complete", "{first}");
    assert_eq!(first["result"]["_meta"]["dev.asyncmcp/job"]["status"], "working");
    let again = ask(&gateway, "tools/call", key).await.json();
    assert_eq!(again["result"], first["result"], "one key is one job");
    // The same id is no sign of the same call: modern clients count from one in each process.
    let other = ask(&gateway, "tools/call", json!({"name": "p_batch"}))
        .await
        .json();
    let another = ask(&gateway, "tools/call", json!({"name": "p_batch"}))
        .await
        .json();
    assert_ne!(other["result"]["_meta"], another["result"]["_meta"]);
    assert_eq!(gateway.pending(), 3);
}

#[tokio::test]
async fn progress_reaches_the_client_under_its_own_token_and_logs_only_if_it_asked() {
    let gateway = Gateway::start("").await;
    let messages = [
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":ID,"progress":1.0}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"another","progress":2.0}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hush"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
    ];
    let messages = messages.map(str::to_owned).to_vec();
    let reaction = Reaction::Stream(messages, example::RESULT);
    gateway.server.on("progress", [reaction]);
    let level = "io.modelcontextprotocol/logLevel";
    for (meta, logs) in [
        (json!({"progressToken": "t"}), 0),
        (json!({"progressToken": "t", level: "error"}), 0),
        (json!({"progressToken": "t", level: "info"}), 1),
    ] {
        let response = stream(&gateway, "p_progress", json!({"_meta": meta})).await;
        let text = Reply::read(response).await.body;
        assert!(text.contains(r#""progressToken":"t","progress":1.0"#), "{text}");
        assert_eq!(text.matches("notifications/progress").count(), 1, "{text}");
        assert_eq!(text.matches("hush").count(), logs, "{meta}: {text}");
        assert!(!text.contains("list_changed"), "{text}");
        assert!(text.contains(r#""resultType":"complete""#), "{text}");
    }
    let sent = gateway.hears("tools/call").await;
    assert_eq!(sent.body["params"]["_meta"]["progressToken"], sent.body["id"]);
}
