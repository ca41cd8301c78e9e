//! Jobs that become tasks of modern servers (the extension `io.modelcontextprotocol/tasks`): polled to their end, cancelled
//! there, and polled on by the next process.
//!
//! Invariant: however a task ends, its tool ran once.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use serde_json::{Value, json};

use crate::scene::{Client, SOON, Scene, code};

/// A call of it is dispatched once.
const ONCE: &str = "  webhookTools: [{name: slow}]\n";
const BEGUN: &str = r#"{"resultType":"task","taskId":"théirs","status":"working","createdAt":"2026-11-28T10:00:00Z","lastUpdatedAt":"2026-11-28T10:00:00Z","ttlMs":null,"pollIntervalMs":50}"#;
const WORKING: &str = r#"{"resultType":"complete","taskId":"théirs","status":"working","pollIntervalMs":50}"#;
const COMPLETED: &str = r#"{"resultType":"complete","taskId":"théirs","status":"completed","result":{"resultType":"complete","content":[ ],"n":1.00}}"#;
const FAILED: &str =
    r#"{"resultType":"complete","taskId":"théirs","status":"failed","error":{"code":-5,"message":"no"}}"#;
const CANCELLED: &str = r#"{"resultType":"complete","taskId":"théirs","status":"cancelled"}"#;
const ASKS: &str = r#"{"resultType":"complete","taskId":"théirs","status":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{}}}}"#;
const UNKNOWN: &str = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"no such task"}}"#;
const FAILS: &str = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"the store is away"}}"#;

/// A route before a modern server whose tool `slow` becomes a task, of which `tasks/get` says this.
async fn scene(says: impl Into<Vec<Reaction>>) -> Result<Scene> {
    let server = McpServer::start(&["slow"]).await;
    server.nature().speaks = Speaks::Modern;
    becomes_a_task(&server);
    server.on("tasks/get", says);
    Scene::before(server, ONCE).await
}

fn becomes_a_task(server: &McpServer) {
    server.nature().declares = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    server.on("slow", [Reaction::Result(BEGUN)]);
    server.on("tasks/cancel", [Reaction::Result(r#"{"resultType":"complete"}"#)]);
}

/// How the job ends for a modern client that polls it.
async fn ended(scene: &Scene, status: &str) -> Result<Value> {
    let client = scene.modern()?;
    let task = client.begin().await?["taskId"].clone();
    let ended = client.once(&task, status).await;
    assert_eq!(scene.server.ran("slow"), 1);
    Ok(ended)
}

async fn polled(client: &Client, scene: &Scene) -> Result<Value> {
    let task = client.begin().await?["taskId"].clone();
    eventually(SOON, async || !scene.server.seen("tasks/get").is_empty()).await;
    Ok(task)
}

#[tokio::test]
async fn a_job_that_becomes_a_task_is_polled_to_its_end() -> Result<()> {
    let scene = scene([Reaction::Result(WORKING), Reaction::Result(COMPLETED)]).await?;
    let legacy = scene.legacy().await?;
    let task = legacy.begin().await?["taskId"].clone();
    legacy.once(&task, "completed").await;
    let body = legacy.send("tasks/result", json!({"taskId": task})).await?.body;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(text.contains(r#""content":[ ],"n":1.00"#), "{text}");
    assert!(!text.contains("resultType"), "a legacy client reads it: {text}");
    let polls = scene.server.seen("tasks/get");
    assert_eq!((polls.len(), scene.server.ran("slow")), (2, 1));
    for seen in polls.iter().chain(&scene.server.seen("tools/call")) {
        let params = &seen.body["params"];
        let declared = &params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(
            *declared,
            json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})
        );
    }
    assert_eq!(polls[0].body["params"]["taskId"], "théirs");
    assert_eq!(polls[0].headers["mcp-name"], "=?base64?dGjDqWlycw==?=");
    Ok(())
}

#[tokio::test]
async fn how_the_task_ends_is_how_the_job_ends() -> Result<()> {
    let failed = ended(&scene([Reaction::Result(FAILED)]).await?, "failed").await?;
    assert_eq!(failed["error"], json!({"code": -5, "message": "no"}));
    let cancelled = ended(&scene([Reaction::Result(CANCELLED)]).await?, "failed").await?;
    assert_eq!(cancelled["error"]["code"], -31006, "{cancelled}");
    let forgotten = ended(&scene([Reaction::Status(200, UNKNOWN)]).await?, "failed").await?;
    assert_eq!(forgotten["error"]["code"], -31003, "{forgotten}");
    let scene = scene([Reaction::Result(ASKS)]).await?;
    let asking = ended(&scene, "failed").await?;
    assert_eq!(asking["error"]["code"], -32021, "{asking}");
    assert_eq!(
        scene.server.seen("tasks/cancel").len(),
        1,
        "a task that waits for ever is cancelled"
    );
    Ok(())
}

#[tokio::test]
async fn a_task_that_cannot_be_read_is_a_call_of_unknown_outcome() -> Result<()> {
    let scene = scene([Reaction::Result(WORKING)]).await?;
    let nameless = r#"{"resultType":"task","status":"working"}"#;
    scene.server.on("slow", [Reaction::Result(nameless)]);
    let unknown = ended(&scene, "failed").await?;
    assert_eq!(unknown["error"]["code"], -31003, "{unknown}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_fails_for_a_moment_still_has_the_task() -> Result<()> {
    let scene = scene([
        Reaction::Status(503, "busy"),
        Reaction::Status(401, "no"),
        Reaction::Status(500, "oops"),
        Reaction::Status(200, FAILS),
        Reaction::Cut,
        Reaction::Result(WORKING),
        Reaction::Result(COMPLETED),
    ])
    .await?;
    let done = ended(&scene, "completed").await?;
    assert_eq!(done["result"]["n"], 1.0, "{done}");
    assert_eq!(scene.server.seen("tasks/get").len(), 7);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_job_is_cancelled_at_its_server() -> Result<()> {
    let scene = scene([Reaction::Result(WORKING)]).await?;
    let client = scene.modern()?;
    let task = polled(&client, &scene).await?;
    client.about("tasks/cancel", &task).await?;
    client.once(&task, "cancelled").await;
    let cancel = eventually(SOON, async || scene.server.seen("tasks/cancel").pop()).await;
    assert_eq!(cancel.body["params"]["taskId"], "théirs");
    Ok(())
}

/// SIGKILL in the middle of a call that must not run twice; its server is busy when the next process asks first.
#[tokio::test]
async fn a_task_is_polled_on_by_the_next_process() -> Result<()> {
    let mut scene = scene([Reaction::Result(WORKING)]).await?;
    let client = scene.modern()?;
    let task = polled(&client, &scene).await?;
    let before = scene.server.seen("tasks/get").len();
    scene.server.on(
        "tasks/get",
        [
            Reaction::Status(503, "busy"),
            Reaction::Result(WORKING),
            Reaction::Result(COMPLETED),
        ],
    );
    scene.gateway.restart(&[]).await?;
    let done = client.once(&task, "completed").await;
    assert_eq!(done["result"]["n"], 1.0, "{done}");
    assert_eq!(scene.server.ran("slow"), 1);
    assert!(scene.server.seen("tasks/get").len() >= before + 3);
    Ok(())
}

/// The server forgot the task while no process was there: nobody knows whether the tool ran to its end.
#[tokio::test]
async fn a_task_that_is_gone_after_a_restart_is_not_begun_again() -> Result<()> {
    let mut scene = scene([Reaction::Result(WORKING)]).await?;
    let client = scene.modern()?;
    let task = polled(&client, &scene).await?;
    scene.server.on("tasks/get", [Reaction::Status(200, UNKNOWN)]);
    scene.gateway.restart(&[]).await?;
    let unknown = client.once(&task, "failed").await;
    assert_eq!(unknown["error"]["code"], -31003, "{unknown}");
    assert_eq!(scene.server.ran("slow"), 1);
    Ok(())
}

/// A server of both eras that knows tasks in the modern one alone: as `FastMCP` does, its sessions list the tool as one that
/// needs a task, and refuse to call it.
#[tokio::test]
async fn a_server_of_both_eras_is_called_where_it_has_tasks() -> Result<()> {
    let server = McpServer::start(&["slow", "plain"]).await;
    server.nature().speaks = Speaks::Both;
    server.nature().tools[0]["execution"] = json!({"taskSupport": "required"});
    becomes_a_task(&server);
    server.on("tasks/get", [Reaction::Result(COMPLETED)]);
    let scene = Scene::before(server, "  webhookTools: [{name: slow}, {name: plain}]\n").await?;
    ended(&scene, "completed").await?;
    let modern = scene.server.seen("tools/call").remove(0);
    assert!(!modern.headers.contains_key("mcp-session-id"));
    let client = scene.modern()?;
    let answer = client.ask("tools/call", json!({"name": "plain"})).await?;
    client
        .once(&client.created(&answer)?["taskId"], "completed")
        .await;
    let plain = scene.server.seen("tools/call").remove(1);
    assert!(
        plain.headers.contains_key("mcp-session-id"),
        "it has no use for tasks"
    );
    Ok(())
}

/// The call's own timeout: the task is cancelled, and nothing polls it any more.
#[tokio::test]
async fn a_task_that_takes_too_long_is_cancelled() -> Result<()> {
    let server = McpServer::start(&["slow"]).await;
    server.nature().speaks = Speaks::Modern;
    becomes_a_task(&server);
    server.on("tasks/get", [Reaction::Result(WORKING)]);
    let scene = Scene::before(server, "  webhookTools: [{name: slow, timeout: 1s}]\n").await?;
    let late = ended(&scene, "failed").await?;
    assert_eq!(late["error"]["code"], -31002, "{late}");
    eventually(SOON, async || scene.server.seen("tasks/cancel").len() == 1).await;
    Ok(())
}

/// A legacy client cannot know such a task, and its server was not offered to make one.
#[tokio::test]
async fn a_task_that_nobody_wants_is_a_fault_of_its_server() -> Result<()> {
    let server = McpServer::start(&["quick"]).await;
    server.nature().speaks = Speaks::Modern;
    server.on("quick", [Reaction::Result(BEGUN)]);
    let scene = Scene::before(server, "  webhookTools: [{name: none}]\n").await?;
    let client = scene.legacy().await?;
    let answer = tokio::time::timeout(
        Duration::from_secs(20),
        client.ask("tools/call", json!({"name": "quick"})),
    )
    .await??;
    assert_eq!(code(&answer), -31003, "{answer}");
    Ok(())
}
