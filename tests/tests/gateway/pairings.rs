//! Clients of each era in front of servers of each era: the same calls, in all pairings.
//!
//! Invariant: a client sees its own era and nothing of the server's; a server that speaks both is used in the client's.

use std::time::Duration;

use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use asyncmcp_tests::session::{Session, answer};
use serde_json::json;

use crate::client::{Client, modern};
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
        let scene = Scene::before(server.clone(), "").await.unwrap();
        for client in Client::both(&scene.gateway).await {
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
        let result = if speaks == Speaks::Modern {
            MODERN_RESULT
        } else {
            RESULT
        };
        server.on("slow", [Reaction::Result(result)]);
        let scene = Scene::before(server.clone(), "").await.unwrap();
        for client in Client::both(&scene.gateway).await {
            let answer = client.ask("tools/call", json!({"name": "slow"})).await.json();
            let status = &answer["result"]["_meta"]["dev.asyncmcp/job"]["status"];
            assert_eq!(status, "working", "{speaks:?}: {answer}");
        }
        for post in scene.receiver.answered(2, SOON).await {
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
        let scene = Scene::before(server.clone(), "").await.unwrap();
        for client in Client::both(&scene.gateway).await {
            server.on("quick", [Reaction::Stream(vec![progress.to_owned()], RESULT)]);
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
    server.on("quick", [Reaction::Stalls("text/event-stream")]);
    let scene = Scene::before(server.clone(), "").await.unwrap();
    let client = scene.client().unwrap();
    let call = modern(1, "tools/call", json!({"name": "quick"}));
    let response = client.post(&call).send().await.unwrap();
    eventually(SOON, async || server.ran("quick") == 1).await;
    assert_eq!(server.nature().given_up, 0);
    drop((response, client));
    eventually(SOON, async || server.nature().given_up == 1).await;
    assert!(server.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn a_cancelled_job_on_a_modern_server_ends_its_post() {
    let server = server(Speaks::Modern).await;
    server.on("slow", [Reaction::Stalls("text/event-stream")]);
    let scene = Scene::before(server.clone(), "").await.unwrap();
    let client = Session::open(&scene.gateway.url(), None).await.unwrap();
    client.call(5, "slow", &json!({})).await.unwrap();
    eventually(SOON, async || server.ran("slow") == 1).await;
    assert_eq!(server.nature().given_up, 0);
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}});
    client.post(cancelled.to_string()).await.unwrap();
    eventually(SOON, async || server.nature().given_up == 1).await;
    let post = scene.receiver.answered(1, SOON).await.remove(0);
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
    let scene = Scene::before(server.clone(), "").await.unwrap();
    for client in Client::both(&scene.gateway).await {
        let params = json!({"name": "near", "arguments": {"region": "Zürich"}});
        let reply = match &client {
            Client::Legacy(_) => client.ask("tools/call", params).await,
            Client::Modern(client) => {
                let call = modern(7, "tools/call", params);
                // What the client's header says must be what the body says, however it is spelled.
                for wrong in [
                    client.post(&call),
                    client.post(&call).header("mcp-param-region", "Bern"),
                ] {
                    let refused = answer(wrong).await.unwrap();
                    let code = refused.json()["error"]["code"].as_i64();
                    assert_eq!((refused.status, code), (400, Some(-32020)), "{}", refused.json());
                }
                let right = client
                    .post(&call)
                    .header("mcp-param-region", "=?base64?WsO8cmljaA==?=");
                answer(right).await.unwrap()
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
    let scene = Scene::before(server.clone(), "").await.unwrap();
    let shows = async |version: &str| {
        let status = scene.gateway.status().await.unwrap();
        status["servers"][0]["protocolVersion"] == version
    };
    eventually(SOON, || shows("2026-07-28")).await;
    server.nature().speaks = Speaks::Legacy;
    eventually(Duration::from_mins(1), || shows("2025-11-25")).await;
    let works = async || {
        for client in Client::both(&scene.gateway).await {
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
        let scene = Scene::before(server.clone(), "").await.unwrap();
        let client = scene.client().unwrap();
        let call = modern(1, "tools/call", json!({"name": "quick"}));
        let failed = client.send(&call).await.unwrap();
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
            let reply = client.send(&call).await.unwrap();
            reply.json()["result"].is_object()
        })
        .await;
        assert_eq!(called_in(&server, "quick"), "modern");
    }
}
