//! What servers say outside of any response, to clients with sessions: changed lists, changed resources.
//!
//! Invariant: a client hears what it subscribed to, once, also after its server has restarted.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Seen, Speaks, tool};
use asyncmcp_tests::modern::request;
use asyncmcp_tests::session::Session;
use futures::{Stream, StreamExt as _};
use http::Method;
use serde_json::{Value, json};

use crate::scene::{SOON, Scene, session};

const URI: &str = "file:///report";
/// What a test says after all else, to see that nothing comes between.
const LAST: &str = "notifications/message";

type Said = Pin<Box<dyn Stream<Item = Value> + Send>>;

/// A server with resources that change.
pub(crate) async fn changing(speaks: Speaks) -> McpServer {
    let server = McpServer::start(&["quick", "slow"]).await;
    server.nature().speaks = speaks;
    server.nature().declares = json!({"resources": {"subscribe": true}});
    server
}

pub(crate) fn notification(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

pub(crate) fn updated(uri: &str) -> Value {
    notification("notifications/resources/updated", &json!({"uri": uri}))
}

pub(crate) async fn next(said: &mut Said) -> Value {
    let next = tokio::time::timeout(Duration::from_mins(1), said.next()).await;
    next.expect("a message in time").expect("the stream is open")
}

async fn standing(client: &Session) -> Result<Said> {
    Ok(Box::pin(client.stream().await?))
}

/// A client with a session on the server, which it listens to.
async fn listener(scene: &Scene) -> Result<(Session, Said)> {
    let client = Session::open(&scene.gateway.url(), None).await?;
    client.call(1, "quick", &json!({})).await?;
    let said = standing(&client).await?;
    // The catalogue's and the client's.
    eventually(SOON, async || scene.server.listeners() == 2).await;
    Ok((client, said))
}

fn subscriptions(server: &McpServer) -> Vec<Seen> {
    server.seen("resources/subscribe")
}

async fn subscribe(client: &Session, uri: &str) -> Result<Value> {
    Ok(client.ask(2, "resources/subscribe", &json!({"uri": uri})).await?)
}

/// A server's restart: sessions and streams are gone.
fn restart(server: &McpServer) {
    server.forget_sessions();
    server.hang_up();
}

#[tokio::test]
async fn a_list_that_changed_is_notified_once_whoever_noticed() -> Result<()> {
    let scene = Scene::open("").await?;
    let (_client, mut said) = listener(&scene).await?;
    let before = scene.server.seen("tools/list").len();
    scene.server.nature().tools.push(tool("new"));
    // On every session's stream: the client's says so, and the catalogue lists the tools and sees it as well.
    scene
        .server
        .push(&notification("notifications/tools/list_changed", &json!({})));
    assert_eq!(
        next(&mut said).await["method"],
        "notifications/tools/list_changed"
    );
    assert!(scene.server.seen("tools/list").len() > before);
    for list in ["prompts", "resources"] {
        let method = format!("notifications/{list}/list_changed");
        scene.server.push(&notification(&method, &json!({})));
        assert_eq!(next(&mut said).await["method"], method.as_str());
    }
    scene
        .server
        .push(&notification(LAST, &json!({"level": "info", "data": 1})));
    assert_eq!(next(&mut said).await["method"], LAST);
    Ok(())
}

#[tokio::test]
async fn our_own_configuration_changes_lists_too() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    let mut said = standing(&client).await?;
    let route = std::fs::read_to_string(scene.gateway.dir.join("route.yaml"))?;
    scene
        .gateway
        .edit(&route.replace("{name: a, url:", "{name: a, toolPrefix: new_, url:"))?;
    for list in ["tools", "prompts", "resources"] {
        let method = format!("notifications/{list}/list_changed");
        assert_eq!(next(&mut said).await["method"], method.as_str());
    }
    assert!(client.tools().await?.contains(&"new_quick".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_forwarded_and_outlives_the_servers_restart() -> Result<()> {
    let server = changing(Speaks::Legacy).await;
    let scene = Scene::before(server.clone(), "").await?;
    let (client, mut said) = listener(&scene).await?;
    assert_eq!(subscribe(&client, URI).await?["result"], json!({}));
    let [asked] = &subscriptions(&server)[..] else {
        panic!("asked once")
    };
    assert_eq!(asked.body["params"]["uri"], URI);
    assert_eq!(session(asked), session(&scene.calls()[0]));
    server.push(&updated(URI));
    assert_eq!(next(&mut said).await, updated(URI));

    // The client says nothing, and hears of the next change all the same.
    restart(&server);
    eventually(SOON, async || subscriptions(&server).len() == 2).await;
    assert_ne!(
        session(&subscriptions(&server)[1]),
        session(&subscriptions(&server)[0])
    );
    eventually(SOON, async || server.listeners() == 2).await;
    server.push(&updated(URI));
    assert_eq!(next(&mut said).await, updated(URI));

    assert_eq!(
        client
            .ask(3, "resources/unsubscribe", &json!({"uri": URI}))
            .await?["result"],
        json!({})
    );
    assert_eq!(server.seen("resources/unsubscribe").len(), 1);
    restart(&server);
    client.call(4, "quick", &json!({})).await?;
    assert_eq!(
        subscriptions(&server).len(),
        2,
        "nothing is subscribed to any more"
    );
    Ok(())
}

#[tokio::test]
async fn a_subscription_outlives_the_process() -> Result<()> {
    let server = changing(Speaks::Legacy).await;
    let mut scene = Scene::before(server.clone(), "").await?;
    let route = scene.gateway.dir.join("route.yaml");
    let embedded = std::fs::read_to_string(&route)?.replace("store: {memory: {}}", "store: {embedded: {}}");
    std::fs::write(route, embedded)?;
    scene.gateway.restart(&[]).await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    subscribe(&client, URI).await?;
    scene.gateway.restart(&[]).await?;
    let mut said = standing(&client).await?;
    eventually(SOON, async || server.listeners() == 2).await;
    server.push(&updated(URI));
    assert_eq!(
        next(&mut said).await,
        updated(URI),
        "in the session that the server still knows"
    );
    assert_eq!(subscriptions(&server).len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_modern_server_is_listened_to_for_a_client_with_a_session() -> Result<()> {
    let server = changing(Speaks::Modern).await;
    let scene = Scene::before(server.clone(), "").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    let mut said = standing(&client).await?;
    assert_eq!(subscribe(&client, URI).await?["result"], json!({}));
    eventually(SOON, async || server.listeners() == 2).await;
    server.push(&updated(URI));
    assert_eq!(next(&mut said).await["params"]["uri"], URI);
    let before = server.seen("subscriptions/listen").len();
    server.hang_up();
    eventually(SOON, async || {
        server.seen("subscriptions/listen").len() == before + 2
    })
    .await;
    eventually(SOON, async || server.listeners() == 2).await;
    server.push(&updated(URI));
    let update = next(&mut said).await;
    assert_eq!(update["params"]["uri"], URI);
    assert!(update["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].is_null());

    let both = json!({"uri": "file:///other"});
    client.ask(3, "resources/subscribe", &both).await?;
    eventually(SOON, async || {
        let last = server.seen("subscriptions/listen").pop();
        let last = last.map(|seen| seen.body["params"]["notifications"]["resourceSubscriptions"].clone());
        last == Some(json!(["file:///other", URI]))
    })
    .await;
    eventually(SOON, async || server.listeners() == 2).await;
    for uri in [URI, "file:///other"] {
        client
            .ask(4, "resources/unsubscribe", &json!({"uri": uri}))
            .await?;
    }
    eventually(SOON, async || server.listeners() == 1).await;
    assert!(
        server.seen("resources/subscribe").is_empty(),
        "it has no such method"
    );
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_the_servers_own_and_each_era_has_its_methods() -> Result<()> {
    let server = changing(Speaks::Legacy).await;
    let no = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32002,"message":"no","data":{"n":1.0}}}"#;
    server.on("resources/subscribe", [Reaction::body("application/json", no)]);
    let scene = Scene::before(server.clone(), "").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    let refused = subscribe(&client, URI).await?;
    assert_eq!(
        (&refused["id"], &refused["error"]["code"]),
        (&json!(2), &json!(-32002))
    );
    assert_eq!(refused["error"]["data"]["n"], 1.0);
    let nothing = client.ask(3, "resources/subscribe", &json!({"uri": 7})).await?;
    assert_eq!(nothing["error"]["code"], -32602);
    let listen = client
        .ask(4, "subscriptions/listen", &json!({"notifications": {}}))
        .await?;
    assert_eq!(listen["error"]["code"], -32601);
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let refused = scene.client()?.send(&request(5, method)).await?;
        assert_eq!(
            (refused.status, refused.json()["error"]["code"].as_i64()),
            (404, Some(-32601))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_session_subscribes_to_64_resources_at_most() -> Result<()> {
    let scene = Scene::before(changing(Speaks::Legacy).await, "").await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    for n in 0..64 {
        let subscribed = subscribe(&client, &format!("file:///{n}")).await?;
        assert!(subscribed["result"].is_object(), "{subscribed}");
    }
    let refused = subscribe(&client, "file:///64").await?;
    assert_eq!(refused["error"]["code"], -31004, "{refused}");
    assert_eq!(subscriptions(&scene.server).len(), 64);
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_else() -> Result<()> {
    let server = changing(Speaks::Legacy).await;
    let scene = Scene::before(server.clone(), "").await?;
    let (_stuck, _unread) = listener(&scene).await?;
    let client = Session::open(&scene.gateway.url(), None).await?;
    client.call(1, "quick", &json!({})).await?;
    let mut said = standing(&client).await?;
    eventually(SOON, async || server.listeners() == 3).await;
    let large = json!({"uri": URI, "text": "x".repeat(64 << 10)});
    for _ in 0..200 {
        server.push(&notification("notifications/resources/updated", &large));
        assert_eq!(next(&mut said).await["params"]["uri"], URI);
    }
    Ok(())
}

#[tokio::test]
async fn the_stream_of_a_client_that_left_is_closed_at_the_server() -> Result<()> {
    let scene = Scene::open("").await?;
    let (client, said) = listener(&scene).await?;
    drop(said);
    eventually(SOON, async || scene.server.listeners() == 1).await;
    let _again = standing(&client).await?;
    eventually(SOON, async || scene.server.listeners() == 2).await;
    assert_eq!(
        scene.server.seen_http(&Method::DELETE).len(),
        0,
        "its session goes on"
    );
    Ok(())
}
