//! Clients of each era in front of servers of each era: the same calls, in all pairings.
//!
//! Invariant: a client sees its own era and nothing of the server's; a server that speaks both is used in the client's.

use std::time::Duration;

use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use asyncmcp_tests::modern::Modern;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Reply, Session};
use serde_json::{Value, json};

use crate::scene::{SOON, Scene};

const EVERY: [Speaks; 3] = [Speaks::Legacy, Speaks::Modern, Speaks::Both];
/// No parser would write it like this, and no relay may change it.
const RESULT: &str =
    r#"{"content":[ {"type":"text","text":"\u0061"} ],"big":12345678901234567890123,"n":1.00}"#;
const MODERN_RESULT: &str = r#"{"content":[ {"type":"text","text":"\u0061"} ],"big":12345678901234567890123,"n":1.00,"resultType":"complete","ttlMs":5,"cacheScope":"public"}"#;
const PAYLOAD: [&str; 3] = [
    r#""content":[ {"type":"text","text":"\u0061"} ]"#,
    r#""big":12345678901234567890123"#,
    r#""n":1.00"#,
];

/// A client of one of the eras.
enum Client {
    Legacy(Session),
    Modern(Modern),
}

impl Client {
    async fn both(scene: &Scene) -> [Self; 2] {
        let url = scene.gateway.url();
        let legacy = Session::open(&url, None).await.expect("a session");
        [
            Self::Legacy(legacy),
            Self::Modern(Modern::new(&url).expect("a client")),
        ]
    }

    fn is_modern(&self) -> bool {
        matches!(self, Self::Modern(_))
    }

    async fn ask(&self, method: &str, params: Value) -> Reply {
        match self {
            Self::Modern(client) => client.ask(7, method, params).await.expect("an answer"),
            Self::Legacy(client) => {
                let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
                client.post(body.to_string()).await.expect("an answer")
            }
        }
    }
}

async fn server(speaks: Speaks) -> McpServer {
    let server = McpServer::start(&["quick", "slow"]).await;
    server.nature().speaks = speaks;
    server
}

/// The era of the message with which `tool` was called last.
fn called_in(server: &McpServer, tool: &str) -> &'static str {
    let calls = server.seen("tools/call");
    let call = calls
        .iter()
        .rfind(|call| call.body["params"]["name"] == tool)
        .expect("it was called");
    match call.headers.get("mcp-session-id") {
        Some(_) => "legacy",
        None => "modern",
    }
}

#[tokio::test]
async fn every_pairing_lists_and_calls_with_the_same_bytes() {
    for speaks in EVERY {
        let server = server(speaks).await;
        let scene = Scene::of(&server, "").await.unwrap();
        for client in Client::both(&scene).await {
            let modern = client.is_modern();
            let uses_modern = speaks == Speaks::Modern || (speaks == Speaks::Both && modern);
            let result = if uses_modern { MODERN_RESULT } else { RESULT };
            server.on("quick", [Reaction::Result(result)]);
            let list = client.ask("tools/list", json!({})).await.json();
            let names: Vec<_> = list["result"]["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tool| &tool["name"])
                .collect();
            assert_eq!(names, ["quick", "slow"], "{speaks:?} {modern}: {list}");
            assert_eq!(
                list["result"].get("ttlMs").is_some(),
                modern,
                "{speaks:?}: {list}"
            );
            let reply = client
                .ask("tools/call", json!({"name": "quick", "arguments": {"a": 1}}))
                .await;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            for value in PAYLOAD {
                assert!(text.contains(value), "{speaks:?} {modern}: {value} in {text}");
            }
            let answer = reply.json();
            assert_eq!((reply.status, &answer["id"]), (200, &7.into()), "{text}");
            assert_eq!(
                answer["result"].get("resultType").is_some(),
                modern,
                "{speaks:?}: {text}"
            );
            assert_eq!(
                called_in(&server, "quick"),
                if uses_modern { "modern" } else { "legacy" },
                "{speaks:?} {modern}"
            );
        }
    }
}

#[tokio::test]
async fn every_pairing_executes_jobs() {
    for speaks in EVERY {
        let server = server(speaks).await;
        let receiver = Receiver::willing().await.unwrap();
        let rest = format!(
            "  webhookTools: [{{name: slow}}]\n  webhook: {{receivers: {{default: {{url: '{}'}}}}}}",
            receiver.url("/hook")
        );
        let result = if speaks == Speaks::Modern {
            MODERN_RESULT
        } else {
            RESULT
        };
        server.on("slow", [Reaction::Result(result)]);
        let scene = Scene::of(&server, &rest).await.unwrap();
        for client in Client::both(&scene).await {
            let answer = client.ask("tools/call", json!({"name": "slow"})).await.json();
            let status = &answer["result"]["_meta"]["dev.asyncmcp/job"]["status"];
            assert_eq!(status, "working", "{speaks:?}: {answer}");
        }
        for post in receiver.answered(2, SOON).await {
            let text = String::from_utf8_lossy(&post.body).into_owned();
            assert!(
                PAYLOAD.iter().all(|value| text.contains(value)),
                "{speaks:?}: {text}"
            );
            assert!(
                !text.contains("resultType"),
                "one form for every receiver: {text}"
            );
        }
        assert_eq!(server.ran("slow"), 2, "{speaks:?}");
    }
}

#[tokio::test]
async fn every_pairing_passes_progress_under_the_clients_token() {
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":TOKEN,"progress":1.0}}"#;
    for speaks in EVERY {
        let server = server(speaks).await;
        let scene = Scene::of(&server, "").await.unwrap();
        for client in Client::both(&scene).await {
            // A legacy client's token reaches its server as it is; a modern client's call goes by the gateway's.
            let token = if client.is_modern() { "ID" } else { "\"mine\"" };
            let said = progress.replace("TOKEN", token);
            server.on("quick", [Reaction::Stream(vec![said], RESULT)]);
            let params = json!({"name": "quick", "_meta": {"progressToken": "mine"}});
            let reply = client.ask("tools/call", params).await;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(
                text.contains(r#""progressToken":"mine","progress":1.0"#),
                "{speaks:?}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn a_modern_server_sees_a_modern_client_give_up_by_the_end_of_its_post() {
    let server = server(Speaks::Modern).await;
    server.on("slow", [Reaction::Stalls("text/event-stream")]);
    let scene = Scene::of(&server, "").await.unwrap();
    let client = Modern::new(&scene.gateway.url()).unwrap();
    let response = client.begin(1, "slow", json!({})).await.unwrap();
    eventually(SOON, async || server.ran("slow") == 1).await;
    assert_eq!(server.nature().given_up, 0);
    drop((response, client));
    eventually(SOON, async || server.nature().given_up == 1).await;
    assert!(server.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn a_cancelled_job_on_a_modern_server_ends_its_post() {
    let server = server(Speaks::Modern).await;
    let receiver = Receiver::willing().await.unwrap();
    let rest = format!(
        "  webhookTools: [{{name: slow}}]\n  webhook: {{receivers: {{default: {{url: '{}'}}}}}}",
        receiver.url("/hook")
    );
    server.on("slow", [Reaction::Stalls("text/event-stream")]);
    let scene = Scene::of(&server, &rest).await.unwrap();
    let client = Session::open(&scene.gateway.url(), None).await.unwrap();
    client.call(5, "slow", &json!({})).await.unwrap();
    eventually(SOON, async || server.ran("slow") == 1).await;
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}});
    client.post(cancelled.to_string()).await.unwrap();
    eventually(SOON, async || server.nature().given_up == 1).await;
    let post = receiver.answered(1, SOON).await.remove(0);
    assert_eq!(post.response()["error"]["code"], -31006);
}

#[tokio::test]
async fn the_headers_for_a_modern_server_repeat_the_arguments_that_its_schema_names() {
    let server = server(Speaks::Modern).await;
    let schema =
        json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
    server
        .nature()
        .tools
        .push(json!({"name": "near", "inputSchema": schema}));
    let scene = Scene::of(&server, "").await.unwrap();
    for client in Client::both(&scene).await {
        let params = json!({"name": "near", "arguments": {"region": "Zürich"}});
        let reply = match &client {
            Client::Legacy(_) => client.ask("tools/call", params).await,
            Client::Modern(modern) => {
                let body = modern.body(7, "tools/call", params);
                // What the client's header says must be what the body says, however it is spelled.
                let wrong = modern.request(&body).header("mcp-param-region", "Bern");
                let wrong = asyncmcp_tests::session::answer(wrong).await.unwrap();
                assert_eq!(
                    (wrong.status, wrong.json()["error"]["code"].as_i64()),
                    (400, Some(-32020))
                );
                let missing = asyncmcp_tests::session::answer(modern.request(&body))
                    .await
                    .unwrap();
                assert_eq!(
                    (missing.status, missing.json()["error"]["code"].as_i64()),
                    (400, Some(-32020))
                );
                let right = modern
                    .request(&body)
                    .header("mcp-param-region", "=?base64?WsO8cmljaA==?=");
                asyncmcp_tests::session::answer(right).await.unwrap()
            }
        };
        assert!(reply.json()["result"].is_object(), "{}", reply.json());
    }
    let calls = server.seen("tools/call");
    assert_eq!(calls.len(), 2, "what contradicts itself reaches no server");
    for call in calls {
        assert_eq!(call.headers["mcp-param-region"], "=?base64?WsO8cmljaA==?=");
    }
}

#[tokio::test]
async fn status_shows_the_version_and_a_server_that_changes_its_era_is_followed() {
    let server = server(Speaks::Modern).await;
    let scene = Scene::of(&server, "").await.unwrap();
    let shows = async |version: &str| {
        let status = scene.gateway.status().await.unwrap();
        status["servers"][0]["protocolVersion"] == version
    };
    eventually(SOON, || shows("2026-07-28")).await;
    server.nature().speaks = Speaks::Legacy;
    eventually(Duration::from_mins(1), || shows("2025-11-25")).await;
    let works = async || {
        for client in Client::both(&scene).await {
            if !client.ask("tools/call", json!({"name": "quick"})).await.json()["result"].is_object() {
                return false;
            }
        }
        true
    };
    eventually(SOON, works).await;
    server.nature().speaks = Speaks::Modern;
    server.forget_sessions();
    eventually(Duration::from_mins(1), works).await;
}

#[tokio::test]
async fn an_outage_is_no_verdict_about_eras() {
    for (status, body) in [(503, "busy"), (500, "no"), (401, "who?"), (403, "no")] {
        let server = server(Speaks::Modern).await;
        server.on("server/discover", [Reaction::Status(status, body)]);
        let scene = Scene::of(&server, "").await.unwrap();
        let client = Modern::new(&scene.gateway.url()).unwrap();
        let failed = client.call(1, "quick", json!({})).await.unwrap();
        assert_eq!(
            failed.json()["error"]["code"],
            -31001,
            "{status}: {}",
            failed.json()
        );
        server.on(
            "server/discover",
            [Reaction::Result(
                r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#,
            )],
        );
        eventually(Duration::from_mins(1), async || {
            let reply = client.call(2, "quick", json!({})).await.unwrap();
            reply.json()["result"].is_object()
        })
        .await;
        assert_eq!(called_in(&server, "quick"), "modern");
    }
}
