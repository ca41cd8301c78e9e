//! `subscriptions/listen`: one stream for a modern client, whatever the servers speak.
//!
//! Invariant: the acknowledgement comes first, and every message has the id of the client's own request.

use std::pin::Pin;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks, tool};
use asyncmcp_tests::modern::{Modern, meta};
use futures::{Stream, StreamExt as _};
use http::Method;
use serde_json::{Value, json};

use crate::events::{changing, next, notification, updated};
use crate::scene::{SOON, Scene, session};

const URI: &str = "file:///report";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

type Said = Pin<Box<dyn Stream<Item = Value> + Send>>;

fn listen(id: &str, notifications: &Value) -> Value {
    let params = json!({"notifications": notifications, "_meta": meta(&json!({}))});
    json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params})
}

async fn listening(client: &Modern, id: &str, notifications: &Value) -> Result<Said> {
    Ok(Box::pin(client.stream(&listen(id, notifications)).await?))
}

/// The next message, which is on the stream `id`.
async fn on(said: &mut Said, id: &str) -> Value {
    let message = next(said).await;
    assert_eq!(message["params"]["_meta"][SUBSCRIPTION], id, "{message}");
    message
}

/// Whoever listens at the server, beside the catalogue, which does where the server offers it.
fn listeners(server: &McpServer) -> usize {
    server.listeners().saturating_sub(1)
}

#[tokio::test]
async fn a_list_that_changed_is_notified_to_those_who_asked_for_it() -> Result<()> {
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let server = changing(speaks).await;
        let scene = Scene::before(server.clone(), "").await?;
        let client = scene.client()?;
        let wanted = json!({"toolsListChanged": true, "unheardOf": ["t"]});
        let mut tools = listening(&client, "one", &wanted).await?;
        let mut prompts = listening(&client, "two", &json!({"promptsListChanged": true})).await?;
        let acknowledged = on(&mut tools, "one").await;
        assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(
            acknowledged["params"]["notifications"],
            json!({"toolsListChanged": true})
        );
        on(&mut prompts, "two").await;
        server.nature().tools.push(tool("new"));
        server.push(&notification("notifications/tools/list_changed", &json!({})));
        let changed = on(&mut tools, "one").await;
        assert_eq!(
            changed["method"], "notifications/tools/list_changed",
            "{speaks:?}"
        );
        let list = client
            .send(&asyncmcp_tests::modern::request(1, "tools/list"))
            .await?
            .json();
        assert!(list.to_string().contains("\"new\""), "{list}");
        // Whoever asked for something else heard nothing of it.
        scene.gateway.process.terminate()?;
        assert_eq!(next(&mut prompts).await["id"], "two");
    }
    Ok(())
}

#[tokio::test]
async fn a_resource_is_listened_to_at_a_server_of_each_era_and_again_after_its_restart() -> Result<()> {
    for speaks in [Speaks::Legacy, Speaks::Modern, Speaks::Both] {
        let server = changing(speaks).await;
        let scene = Scene::before(server.clone(), "").await?;
        let client = scene.client()?;
        let mut said = listening(&client, "mine", &json!({"resourceSubscriptions": [URI]})).await?;
        let acknowledged = on(&mut said, "mine").await;
        assert_eq!(
            acknowledged["params"]["notifications"],
            json!({"resourceSubscriptions": [URI]})
        );
        for _ in 0..2 {
            let asked = server.seen("subscriptions/listen").len() + server.seen("resources/subscribe").len();
            server.push(&updated(URI));
            let update = on(&mut said, "mine").await;
            assert_eq!(update["params"]["uri"], URI, "{speaks:?}");
            server.forget_sessions();
            server.hang_up();
            eventually(SOON, async || {
                server.seen("subscriptions/listen").len() + server.seen("resources/subscribe").len() > asked
            })
            .await;
            eventually(SOON, async || listeners(&server) == 1).await;
        }
        drop((said, client));
        eventually(SOON, async || listeners(&server) == 0).await;
        if speaks == Speaks::Legacy {
            let mine = server.seen("resources/subscribe").pop().expect("it was asked");
            eventually(SOON, async || {
                let ended = server.seen_http(&Method::DELETE);
                ended.iter().any(|ended| session(ended) == session(&mine))
            })
            .await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn two_clients_share_no_session() -> Result<()> {
    let server = changing(Speaks::Legacy).await;
    let scene = Scene::before(server.clone(), "").await?;
    let wanted = json!({"resourceSubscriptions": [URI]});
    let mut one = listening(&scene.client()?, "same", &wanted).await?;
    let mut two = listening(&scene.client()?, "same", &wanted).await?;
    on(&mut one, "same").await;
    on(&mut two, "same").await;
    let asked = server.seen("resources/subscribe");
    assert_ne!(session(&asked[0]), session(&asked[1]));
    Ok(())
}

#[tokio::test]
async fn what_no_server_offers_is_not_acknowledged() -> Result<()> {
    let no = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no"}}"#;
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        let server = McpServer::start(&["quick", "slow"]).await;
        server.nature().speaks = speaks;
        server.on("resources/subscribe", [Reaction::body("application/json", no)]);
        let scene = Scene::before(server.clone(), "").await?;
        let wanted = json!({"toolsListChanged": true, "resourceSubscriptions": [URI]});
        let mut said = listening(&scene.client()?, "mine", &wanted).await?;
        let acknowledged = on(&mut said, "mine").await;
        assert_eq!(
            acknowledged["params"]["notifications"],
            json!({"toolsListChanged": true}),
            "{speaks:?}"
        );
        eventually(SOON, async || listeners(&server) == 0).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_until_it_is_there() -> Result<()> {
    let server = changing(Speaks::Legacy).await;
    let scene = Scene::before(server.clone(), "").await?;
    server.on(
        "resources/subscribe",
        [Reaction::Status(503, "busy"), Reaction::Result("{}")],
    );
    let wanted = json!({"resourceSubscriptions": [URI]});
    let mut said = listening(&scene.client()?, "mine", &wanted).await?;
    let acknowledged = on(&mut said, "mine").await;
    assert_eq!(acknowledged["params"]["notifications"], wanted);
    eventually(SOON, async || server.seen("resources/subscribe").len() == 2).await;
    eventually(SOON, async || listeners(&server) == 1).await;
    server.push(&updated(URI));
    assert_eq!(on(&mut said, "mine").await["params"]["uri"], URI);
    Ok(())
}

#[tokio::test]
async fn a_stream_ends_with_a_response_when_the_process_ends() -> Result<()> {
    let scene = Scene::open("").await?;
    let mut said = listening(&scene.client()?, "mine", &json!({"toolsListChanged": true})).await?;
    on(&mut said, "mine").await;
    scene.gateway.process.terminate()?;
    let last = next(&mut said).await;
    assert_eq!(
        (&last["id"], &last["result"]["resultType"]),
        (&json!("mine"), &json!("complete"))
    );
    assert_eq!(last["result"]["_meta"][SUBSCRIPTION], "mine");
    assert!(said.next().await.is_none());
    Ok(())
}

#[tokio::test]
async fn a_client_has_16_streams_and_what_is_no_filter_is_refused() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = scene.client()?;
    let mut open = Vec::new();
    for n in 0..16 {
        let id = n.to_string();
        let mut said = listening(&client, &id, &json!({})).await?;
        assert_eq!(on(&mut said, &id).await["params"]["notifications"], json!({}));
        open.push(said);
    }
    let refused = client.send(&listen("x", &json!({}))).await?.json();
    assert_eq!(refused["error"]["code"], -31004, "{refused}");
    open.pop();
    eventually(SOON, async || {
        let mut said = listening(&client, "x", &json!({})).await.expect("an answer");
        said.next().await.is_some() // a refusal is no event
    })
    .await;
    for filter in [
        json!([]),
        json!({"toolsListChanged": 1}),
        json!({"resourceSubscriptions": [7]}),
    ] {
        let refused = client.send(&listen("y", &filter)).await?.json();
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_route_without_streams_refuses_it() -> Result<()> {
    let scene = Scene::open("  transport: {jsonResponse: true}\n").await?;
    let refused = scene.client()?.send(&listen("mine", &json!({}))).await?.json();
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("transport.jsonResponse")
    );
    Ok(())
}
