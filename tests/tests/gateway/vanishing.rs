//! Clients that close their connection in the middle of a call.
//!
//! Invariant: a modern client has cancelled what it no longer waits for, a legacy one has not, and neither has cancelled a
//! call whose result goes by webhook.

use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::modern::Modern;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use serde_json::json;

use crate::scene::{SOON, Scene};

#[tokio::test]
async fn a_modern_client_that_vanishes_cancels_its_call_before_and_after_the_answer_began() {
    let server = McpServer::start(&["silent", "streams"]).await;
    server.on("silent", [Reaction::Hangs]);
    server.on("streams", [Reaction::Stalls("text/event-stream")]);
    let scene = Scene::of(&server, "").await.unwrap();
    let client = Modern::new(&scene.gateway.url()).unwrap();
    for (at, tool) in ["streams", "silent"].into_iter().enumerate() {
        let calling = tokio::spawn({
            let client = client.clone();
            async move {
                let _response = client.begin(1, tool, json!({})).await;
                std::future::pending::<()>().await;
            }
        });
        let call = eventually(SOON, async || server.seen("tools/call").into_iter().nth(at)).await;
        calling.abort();
        let cancelled = eventually(SOON, async || {
            server.seen("notifications/cancelled").into_iter().nth(at)
        })
        .await;
        assert_eq!(cancelled.body["params"]["requestId"], call.body["id"], "{tool}");
        assert_eq!(
            cancelled.headers["mcp-session-id"], call.headers["mcp-session-id"],
            "{tool}"
        );
    }
}

#[tokio::test]
async fn a_legacy_client_that_vanishes_cancels_nothing() {
    let server = McpServer::start(&["streams", "quick"]).await;
    server.on("streams", [Reaction::Stalls("text/event-stream")]);
    let scene = Scene::of(&server, "").await.unwrap();
    let client = Session::open(&scene.gateway.url(), None).await.unwrap();
    let calling = tokio::spawn({
        let client = client.clone();
        async move { client.call(1, "streams", &json!({})).await }
    });
    eventually(SOON, async || server.seen("tools/call").pop()).await;
    calling.abort();
    for id in 2..12 {
        client.call(id, "quick", &json!({})).await.unwrap();
    }
    assert!(server.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn a_webhook_call_is_delivered_though_its_modern_client_vanished() {
    let server = McpServer::start(&["slow"]).await;
    server.on("slow", [Reaction::Result(r#"{"content":[ ],"n":1.0}"#)]);
    let receiver = Receiver::willing().await.unwrap();
    let rest = format!(
        "  webhookTools: [{{name: slow}}]\n  webhook:\n    receivers:\n      default: {{url: '{}'}}\n      \
         fromClients: {{policy: Allowlist, allowedHosts: [\"127.0.0.1\"], allowedCidrs: [127.0.0.0/8], schemes: [http]}}",
        receiver.url("/hook")
    );
    let scene = Scene::of(&server, &rest).await.unwrap();
    let client = Modern::new(&scene.gateway.url()).unwrap();
    let acknowledged = client.call(7, "slow", json!({"n": 1})).await.unwrap().json();
    assert_eq!(acknowledged["result"]["resultType"], "complete", "{acknowledged}");
    drop(client);
    let post = eventually(SOON, async || receiver.posts().pop()).await;
    let body = String::from_utf8_lossy(&post.body).into_owned();
    assert!(body.contains(r#"{"content":[ ],"n":1.0}"#), "{body}");
    assert_eq!(server.ran("slow"), 1);
}
