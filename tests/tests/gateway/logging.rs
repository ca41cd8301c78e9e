//! Log messages: which ones a client asked for, and what its servers hear of it.
//!
//! Invariant: what a client set once holds in each session that it has on a server, also in one that opens later.

use std::time::{Duration, Instant};

use anyhow::Result;
use asyncmcp_tests::mcp::{McpServer, Reaction, Seen, Speaks};
use asyncmcp_tests::modern::{call, request};
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};

use crate::scene::{Scene, events, session};

const LEVEL: &str = "io.modelcontextprotocol/logLevel";

async fn logging(speaks: Speaks) -> McpServer {
    let server = McpServer::start(&["quick", "slow"]).await;
    server.nature().speaks = speaks;
    server.nature().declares = json!({"logging": {}});
    server
}

async fn set(client: &Session, level: &str) -> Result<Value> {
    Ok(client
        .ask(1, "logging/setLevel", &json!({"level": level}))
        .await?)
}

fn levels(server: &McpServer) -> Vec<Seen> {
    server.seen("logging/setLevel")
}

#[tokio::test]
async fn a_level_reaches_the_servers_that_log_in_every_session_that_the_client_has_there() -> Result<()> {
    let server = logging(Speaks::Legacy).await;
    let scene = Scene::before(server.clone(), "").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    client.call(1, "quick", &json!({})).await?;
    assert_eq!(set(&client, "warning").await?["result"], json!({}));
    let [asked] = &levels(&server)[..] else {
        panic!("{:?}", levels(&server))
    };
    assert_eq!(asked.body["params"], json!({"level": "warning"}));
    assert_eq!(session(asked), session(&scene.calls()[0]));

    server.forget_sessions();
    client.call(2, "quick", &json!({})).await?;
    let (asked, called) = (levels(&server), scene.calls());
    let (asked, called) = (&asked[1], called.last().unwrap());
    assert_eq!(asked.body["params"], json!({"level": "warning"}));
    assert_eq!(session(asked), session(called), "the new session has it, too");
    Ok(())
}

#[tokio::test]
async fn a_level_that_was_set_first_is_there_before_the_first_call() -> Result<()> {
    let server = logging(Speaks::Legacy).await;
    let scene = Scene::before(server.clone(), "").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    assert_eq!(set(&client, "debug").await?["result"], json!({}));
    assert!(levels(&server).is_empty(), "the client has no session there");
    client.call(1, "quick", &json!({})).await?;
    let called = scene.calls().remove(0);
    let of_the_client: Vec<_> = server
        .nature()
        .seen
        .iter()
        .filter(|seen| session(seen) == session(&called))
        .map(|seen| seen.method().to_owned())
        .collect();
    assert_eq!(
        of_the_client,
        ["notifications/initialized", "logging/setLevel", "tools/call"]
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_log_or_does_not_answer_costs_nothing() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    client.call(1, "quick", &json!({})).await?;
    assert_eq!(set(&client, "warning").await?["result"], json!({}));
    assert!(levels(&scene.server).is_empty(), "it declares no logging");

    let server = logging(Speaks::Legacy).await;
    server.on("logging/setLevel", [Reaction::Hangs]);
    let scene = Scene::before(server.clone(), "  transport: {timeout: 1s}\n").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    let began = Instant::now();
    set(&client, "warning").await?;
    let called = client.call(1, "quick", &json!({})).await?.json();
    assert!(called["result"].is_object(), "{called}");
    assert_eq!(levels(&server).len(), 1);
    assert!(began.elapsed() < Duration::from_secs(10));
    Ok(())
}

#[tokio::test]
async fn a_level_outlives_the_process() -> Result<()> {
    let server = logging(Speaks::Legacy).await;
    let mut scene = Scene::before(server.clone(), "").await?;
    let embedded = std::fs::read_to_string(scene.gateway.dir.join("route.yaml"))?
        .replace("store: {memory: {}}", "store: {embedded: {}}");
    std::fs::write(scene.gateway.dir.join("route.yaml"), embedded)?;
    scene.gateway.restart(&[]).await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    set(&client, "error").await?;
    scene.gateway.restart(&[]).await?;
    client.call(1, "quick", &json!({})).await?;
    assert_eq!(levels(&server)[0].body["params"], json!({"level": "error"}));
    Ok(())
}

#[tokio::test]
async fn a_modern_server_hears_of_the_level_in_each_request() -> Result<()> {
    let server = logging(Speaks::Modern).await;
    let scene = Scene::before(server.clone(), "").await?;
    let said = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1.0}}"#;
    server.on(
        "quick",
        [Reaction::Stream(
            vec![said.to_owned()],
            r#"{"resultType":"complete","content":[]}"#,
        )],
    );
    let level = |at: usize| scene.calls()[at].body["params"]["_meta"][LEVEL].clone();

    let legacy = Session::open(&scene.gateway.url(), None).await?;
    legacy.call(1, "quick", &json!({})).await?;
    assert_eq!(level(0), Value::Null, "nobody asked for any");
    set(&legacy, "warning").await?;
    let reply = legacy.call(2, "quick", &json!({})).await?;
    assert_eq!(level(1), "warning");
    assert_eq!(events(&reply)[0], said);

    let modern = scene.client()?;
    modern.send(&call(3, "quick", &json!({}))).await?;
    assert_eq!(level(2), Value::Null);
    let reply = modern.send(&call(4, "quick", &json!({LEVEL: "error"}))).await?;
    assert_eq!(level(3), "error");
    assert_eq!(events(&reply)[0], said);
    Ok(())
}

#[tokio::test]
async fn a_level_that_is_none_and_a_modern_set_level_are_refused() -> Result<()> {
    let scene = Scene::before(logging(Speaks::Legacy).await, "").await?;
    let legacy = Session::open(&scene.gateway.url(), None).await?;
    for params in [json!({"level": "loud"}), json!({"level": 3}), json!({})] {
        let refused = legacy.ask(1, "logging/setLevel", &params).await?;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
        assert!(
            refused["error"]["message"]
                .as_str()
                .unwrap()
                .contains("params.level")
        );
    }
    let modern = scene.client()?;
    let refused = modern.send(&request(1, "logging/setLevel")).await?;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_i64()),
        (404, Some(-32601))
    );
    let refused = modern.send(&call(1, "quick", &json!({LEVEL: "loud"}))).await?;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_i64()),
        (400, Some(-32602))
    );
    assert!(scene.calls().is_empty());
    assert!(levels(&scene.server).is_empty());
    Ok(())
}
