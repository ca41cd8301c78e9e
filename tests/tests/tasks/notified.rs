//! `subscriptions/listen` for tasks: a client that listens gets what `tasks/get` would say, and need not poll.
//!
//! Invariant: a task is named by the id that its client knows, and nobody hears of another client's.

use std::pin::Pin;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use asyncmcp_tests::modern::{Modern, meta};
use futures::{Stream, StreamExt as _};
use serde_json::{Value, json};

use crate::scene::{AUTH, ONE, RESULT, SOON, Scene, TWO, declared};

type Said = Pin<Box<dyn Stream<Item = Value> + Send>>;

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const BEGUN: &str = r#"{"resultType":"task","taskId":"theirs","status":"working","createdAt":"2026-11-28T10:00:00Z","lastUpdatedAt":"2026-11-28T10:00:00Z","ttlMs":null}"#;

fn request(tasks: &Value, more: &Value) -> Value {
    let params = json!({"notifications": {"taskIds": tasks}, "_meta": meta(more)});
    json!({"jsonrpc": "2.0", "id": "mine", "method": "subscriptions/listen", "params": params})
}

/// A stream, and the tasks that will be notified of.
async fn listen(client: &Modern, tasks: Value) -> Result<(Said, Value)> {
    let mut said: Said = Box::pin(client.stream(&request(&tasks, &declared())).await?);
    let first = next(&mut said).await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    Ok((said, first["params"]["notifications"]["taskIds"].clone()))
}

async fn next(said: &mut Said) -> Value {
    let message = tokio::time::timeout(SOON, said.next()).await;
    message.expect("in time").expect("the stream is open")
}

/// The notification, which says what `tasks/get` says, apart from how often to ask.
async fn ended(said: &mut Said, status: &str) -> Value {
    let message = next(said).await;
    let params = &message["params"];
    assert_eq!(message["method"], "notifications/tasks", "{message}");
    assert_eq!(params["_meta"][SUBSCRIPTION], "mine", "{message}");
    assert_eq!(params["status"], status, "{message}");
    params.clone()
}

#[tokio::test]
async fn the_end_of_a_job_is_notified_with_its_result() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = scene.modern()?;
    let listener = Modern::at(&scene.gateway.url())?;
    scene
        .server
        .on("slow", [Reaction::Hangs, Reaction::Result(RESULT)]);
    let cancelled = client.begin().await?["taskId"].clone();
    eventually(SOON, async || scene.server.ran("slow") == 1).await;
    let (mut said, accepted) = listen(&listener, json!([cancelled, "unknown"])).await?;
    assert_eq!(accepted, json!([cancelled]), "what is not there is not promised");
    client.about("tasks/cancel", &cancelled).await?;
    let over = ended(&mut said, "cancelled").await;
    assert_eq!(over["taskId"], cancelled);
    // One that ended before anybody listened.
    let done = client.begin().await?["taskId"].clone();
    let polled = client.once(&done, "completed").await;
    let (mut said, _) = listen(&listener, json!([done])).await?;
    let over = ended(&mut said, "completed").await;
    assert_eq!((&over["taskId"], &over["result"]), (&done, &polled["result"]));
    assert_eq!(over["result"]["n"], 1.0);
    Ok(())
}

#[tokio::test]
async fn nobody_hears_of_the_task_of_another_client() -> Result<()> {
    let scene = Scene::open(AUTH).await?;
    let [_, client] = scene.both_with(ONE).await?;
    let task = client.begin().await?["taskId"].clone();
    let url = scene.gateway.url();
    let (_said, accepted) = listen(&Modern::at(&url)?.with_token(TWO), json!([task])).await?;
    assert!(accepted.is_null(), "{accepted}");
    let (mut said, _) = listen(&Modern::at(&url)?.with_token(ONE), json!([task])).await?;
    ended(&mut said, "completed").await;
    Ok(())
}

#[tokio::test]
async fn who_does_not_declare_tasks_cannot_listen_to_them() -> Result<()> {
    let scene = Scene::open("").await?;
    let listener = Modern::at(&scene.gateway.url())?;
    let reply = listener.send(&request(&json!(["t"]), &json!({}))).await?;
    let body = reply.json();
    assert_eq!(
        (reply.status, &body["error"]["code"]),
        (400, &json!(-32021)),
        "{body}"
    );
    let needed = &body["error"]["data"]["requiredCapabilities"]["extensions"];
    assert!(needed["io.modelcontextprotocol/tasks"].is_object(), "{body}");
    let reply = listener.send(&request(&json!("t"), &declared())).await?;
    assert_eq!(reply.json()["error"]["code"], -32602, "{}", reply.json());
    Ok(())
}

/// A process that ends says so; what ends after it is notified by the next one to who listens again.
#[tokio::test]
async fn who_listens_again_after_a_restart_hears_of_the_end() -> Result<()> {
    let mut scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let task = scene.modern()?.begin().await?["taskId"].clone();
    eventually(SOON, async || scene.server.ran("slow") == 1).await;
    let (said, _) = listen(&Modern::at(&scene.gateway.url())?, json!([task])).await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    scene.gateway.restart(&[]).await?;
    drop(said);
    let (mut said, accepted) = listen(&Modern::at(&scene.gateway.url())?, json!([task])).await?;
    assert_eq!(accepted, json!([task]));
    assert_eq!(ended(&mut said, "completed").await["result"]["n"], 1.0);
    Ok(())
}

/// The server's own task, of an ordinary tool: under the id that the client got, and none but the one that it asked for.
#[tokio::test]
async fn a_servers_task_is_listened_to_at_its_server() -> Result<()> {
    let server = McpServer::start(&["quick"]).await;
    server.nature().speaks = Speaks::Modern;
    server.nature().declares = json!({"resources": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}});
    server.on("quick", [Reaction::Result(BEGUN)]);
    let scene = Scene::before(server, "").await?;
    let client = scene.modern()?;
    let begun = client.ask("tools/call", json!({"name": "quick"})).await?;
    let task = client.created(&begun)?["taskId"].clone();
    let (mut said, accepted) = listen(&Modern::at(&scene.gateway.url())?, json!([task])).await?;
    assert_eq!(accepted, json!([task]));
    let asked = eventually(SOON, async || {
        let asked = scene.server.seen("subscriptions/listen");
        asked
            .into_iter()
            .find(|seen| seen.body.to_string().contains("taskIds"))
    })
    .await;
    assert_eq!(
        asked.body["params"]["notifications"],
        json!({"taskIds": ["theirs"]})
    );
    for id in ["other", "theirs"] {
        scene.server.push(
            &json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params":
            {"taskId": id, "status": "completed", "result": {"content": [], "of": id}}}),
        );
    }
    let over = ended(&mut said, "completed").await;
    assert_eq!(
        (&over["taskId"], &over["result"]["of"]),
        (&task, &json!("theirs"))
    );
    Ok(())
}
