//! A route without sessions (`transport.stateless`), to clients of the versions that have them.
//!
//! Invariant: nothing that one request leaves behind is needed by the next.

use anyhow::{Context as _, Result};
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use asyncmcp_tests::session::{Reply, Session, answer};
use http::Method;
use serde_json::{Value, json};

use crate::scene::{SOON, Scene, events};

const STATELESS: &str = "  transport: {stateless: true}\n";

fn initialize(meta: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {"roots": {}, "sampling": {}}, "clientInfo": {"name": "t", "version": "0"}, "_meta": meta}})
}

async fn scene() -> Result<(Scene, Session)> {
    let scene = Scene::open(STATELESS).await?;
    let client = Session::nowhere(&scene.gateway.url())?;
    Ok((scene, client))
}

/// Sends a message with the version that was agreed on, as stock clients do.
async fn send(client: &Session, message: &Value) -> Result<Reply> {
    let request = client.request(message.to_string());
    let request = request.header("mcp-protocol-version", "2025-11-25");
    Ok(answer(request).await?)
}

async fn ask(client: &Session, method: &str, params: &Value) -> Result<Value> {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let reply = send(client, &request).await?;
    assert_eq!(reply.status, 200, "{method}");
    Ok(reply.json())
}

#[tokio::test]
async fn a_client_gets_no_session_and_needs_none() -> Result<()> {
    let (scene, client) = scene().await?;
    let opened = send(&client, &initialize(&json!({}))).await?;
    assert_eq!((opened.status, opened.headers.get("mcp-session-id")), (200, None));
    let offered = &opened.json()["result"]["capabilities"];
    assert_eq!((&offered["tools"], offered.get("logging")), (&json!({}), None));
    let started = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(send(&client, &started).await?.status, 202);
    assert_eq!(ask(&client, "ping", &json!({})).await?["result"], json!({}));
    let tools = ask(&client, "tools/list", &json!({})).await?;
    assert_eq!(
        tools["result"]["tools"].as_array().map(Vec::len),
        Some(2),
        "{tools}"
    );
    assert!(tools["result"].get("resultType").is_none(), "{tools}");
    let called = ask(&client, "tools/call", &json!({"name": "quick", "arguments": {}})).await?;
    assert!(called["result"]["content"].is_array(), "{called}");
    let acknowledged = ask(&client, "tools/call", &json!({"name": "slow", "arguments": {}})).await?;
    assert_eq!(
        acknowledged["result"]["_meta"]["dev.asyncmcp/job"]["status"], "working",
        "{acknowledged}"
    );
    let delivered = scene.receiver.answered(1, SOON).await;
    assert!(delivered[0].response()["result"].is_object());
    let unversioned = client.call(2, "quick", &json!({})).await?;
    assert_eq!(unversioned.status, 200, "no version is the oldest one");
    Ok(())
}

#[tokio::test]
async fn what_needs_a_session_is_refused_and_says_so() -> Result<()> {
    let (scene, client) = scene().await?;
    for method in [Method::GET, Method::DELETE] {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let request = http.request(method.clone(), scene.gateway.url());
        let refused = answer(request.header("accept", "text/event-stream")).await?;
        assert_eq!(
            (refused.status, &refused.headers["allow"]),
            (405, &"POST, OPTIONS".parse()?),
            "{method}"
        );
        let text = refused.json()["error"]["message"].to_string();
        assert!(text.contains("transport.stateless"), "{text}");
    }
    let receiver = json!({"webhookUrl": scene.receiver.url("/mine")});
    let refused = send(&client, &initialize(&receiver)).await?.json();
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert!(
        refused["error"]["message"]
            .to_string()
            .contains("transport.stateless"),
        "{refused}"
    );
    for (method, params) in [
        ("logging/setLevel", json!({"level": "error"})),
        ("resources/subscribe", json!({"uri": "file:///x"})),
    ] {
        let refused = ask(&client, method, &params).await?;
        assert_eq!(refused["error"]["code"], -32601, "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_asks_is_refused_and_goes_on() -> Result<()> {
    let (scene, client) = scene().await?;
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;
    scene.server.on("quick", [Reaction::Asks(question)]);
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "quick", "arguments": {}}});
    let reply = send(&client, &call).await?;
    let said = events(&reply);
    let response: Value = serde_json::from_str(said.last().context("nothing was said")?)?;
    assert_eq!((said.len(), &response["id"]), (1, &json!(7)), "{said:?}");
    let refused = scene.server.seen("");
    assert_eq!(refused.last().context("no answer")?.body["error"]["code"], -32601);
    Ok(())
}

#[tokio::test]
async fn a_modern_server_that_needs_something_ends_the_call() -> Result<()> {
    let server = McpServer::start(&["quick"]).await;
    server.nature().speaks = Speaks::Modern;
    server.on("quick", [Reaction::Result(crate::asking::NEEDS_ROOTS)]);
    let scene = Scene::before(server, STATELESS).await?;
    let client = Session::nowhere(&scene.gateway.url())?;
    let refused = ask(&client, "tools/call", &json!({"name": "quick", "arguments": {}})).await?;
    assert!(refused["error"]["code"].is_i64(), "{refused}");
    assert_eq!(scene.calls().len(), 1);
    Ok(())
}

/// All such clients count from the same number.
#[tokio::test]
async fn a_client_cancels_nothing_of_another_one() -> Result<()> {
    let (scene, client) = scene().await?;
    scene
        .server
        .on("quick", [Reaction::Breaks(Some("e"), Some(r#"{"content":[]}"#))]);
    let other = Session::nowhere(&scene.gateway.url())?;
    let params = json!({"name": "quick", "arguments": {}});
    let (called, cancelled) = tokio::join!(ask(&client, "tools/call", &params), async {
        eventually(SOON, async || scene.calls().pop()).await;
        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
        send(&other, &cancel).await
    });
    assert_eq!(cancelled?.status, 202);
    assert!(called.is_ok());
    assert!(scene.server.seen("notifications/cancelled").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_session_outlives_the_change_and_comes_back_with_it() -> Result<()> {
    let scene = Scene::open("  transport: {stateless: false}\n").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    let route = std::fs::read_to_string(scene.gateway.dir.join("route.yaml"))?;
    scene
        .gateway
        .edit(&route.replace("stateless: false", "stateless: true"))?;
    let newcomer = Session::nowhere(&scene.gateway.url())?;
    eventually(SOON, async || {
        let reply = newcomer.call(1, "quick", &json!({})).await;
        reply.is_ok_and(|reply| reply.status == 200).then_some(())
    })
    .await;
    assert_eq!(client.call(2, "quick", &json!({})).await?.status, 200);
    assert!(client.stream().await.is_err(), "405");
    scene.gateway.edit(&route)?;
    eventually(SOON, async || {
        client.stream().await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    let refused = newcomer.call(1, "quick", &json!({})).await?;
    assert_eq!(refused.status, 400, "it has no session: {}", refused.json());
    Ok(())
}
