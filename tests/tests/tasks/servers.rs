//! Servers' own tasks, of ordinary tools: each under an id of the gateway's, which leads to that server and is its caller's.

use anyhow::Result;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks, task};
use asyncmcp_tests::modern::{Modern, call};
use serde_json::{Value, json};

use crate::scene::{Client, SOON, Scene, code, route};

/// A task of a modern server's.
const BEGUN: &str = r#"{"resultType":"task","taskId":"théirs","status":"working","createdAt":"2026-11-28T10:00:00Z","lastUpdatedAt":"2026-11-28T10:00:00Z","ttlMs":1000,"x":1.00}"#;
const ENDED: &str = r#"{"resultType":"complete","taskId":"théirs","status":"completed","createdAt":"2026-11-28T10:00:00Z","lastUpdatedAt":"2026-11-28T10:00:01Z","ttlMs":1000,"result":{"content":[ ],"n":1.00}}"#;

async fn server(speaks: Speaks) -> McpServer {
    let server = McpServer::start(&["quick", "slow"]).await;
    server.nature().speaks = speaks;
    server
}

/// Calls `quick` in a way that lets it become a task.
async fn begin(client: &Client) -> Result<Value> {
    client
        .ask("tools/call", json!({"name": "quick", "task": {"ttl": 5000}}))
        .await
}

/// The ids of tasks that the server was asked about with this method.
fn asked(scene: &Scene, method: &str) -> Vec<Value> {
    let seen = scene.server.seen(method);
    seen.iter()
        .map(|seen| seen.body["params"]["taskId"].clone())
        .collect()
}

#[tokio::test]
async fn a_legacy_servers_task_goes_by_an_id_of_its_callers() -> Result<()> {
    let server = server(Speaks::Legacy).await;
    server.nature().tasks = Some(vec!["working", "completed"]);
    let scene = Scene::before(server, "").await?;
    let client = scene.legacy().await?;
    let answer = begin(&client).await?;
    let id = client.created(&answer)?["taskId"].clone();
    assert!(!id.to_string().contains(task::ID), "{id}");
    assert_eq!(
        scene.server.seen("tools/call")[0].body["params"]["task"],
        json!({"ttl": 5000})
    );
    let working = client.about("tasks/get", &id).await?["result"].clone();
    assert_eq!((&working["taskId"], &working["status"]), (&id, &json!("working")));
    let result = client.about("tasks/result", &id).await?["result"].clone();
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/related-task"]["taskId"], id,
        "{result}"
    );
    let cancelled = client.about("tasks/cancel", &id).await?["result"].clone();
    assert_eq!(
        (&cancelled["taskId"], &cancelled["status"]),
        (&id, &json!("cancelled"))
    );
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        assert_eq!(asked(&scene, method), [task::ID], "{method}");
        let other = scene.legacy().await?;
        assert_eq!(code(&other.about(method, &id).await?), -32602, "{method}");
        assert_eq!(
            asked(&scene, method),
            [task::ID],
            "nobody else gets to the server"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_servers_task_is_known_to_the_next_process_and_unknown_once_its_server_left() -> Result<()> {
    let server = server(Speaks::Legacy).await;
    server.nature().tasks = Some(vec!["working"]);
    let mut scene = Scene::before(server, "").await?;
    let client = scene.legacy().await?;
    let id = client.created(&begin(&client).await?)?["taskId"].clone();
    scene.gateway.restart(&[]).await?;
    assert_eq!(
        client.about("tasks/get", &id).await?["result"]["status"],
        "working"
    );
    let renamed = route(&scene.server, "").replace("name: a,", "name: b,");
    scene.gateway.edit(&renamed)?;
    asyncmcp_tests::eventually(SOON, async || {
        client
            .about("tasks/get", &id)
            .await
            .is_ok_and(|answer| code(&answer) == -32602)
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_legacy_client_cannot_call_a_modern_servers_tool_as_a_task() -> Result<()> {
    let scene = Scene::before(server(Speaks::Modern).await, "").await?;
    let client = scene.legacy().await?;
    let answer = begin(&client).await?;
    assert_eq!(code(&answer), -32601, "{answer}");
    assert_eq!(scene.server.ran("quick"), 0);
    let answer = client.ask("tools/call", json!({"name": "quick"})).await?;
    assert!(answer["result"]["content"].is_array(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_modern_client_cannot_ask_a_legacy_server_for_a_task() -> Result<()> {
    let server = server(Speaks::Legacy).await;
    server.nature().tasks = Some(vec!["working"]);
    let scene = Scene::before(server, "").await?;
    let answer = begin(&scene.modern()?).await?;
    assert!(answer["result"]["content"].is_array(), "{answer}");
    assert_eq!(answer["result"]["resultType"], "complete");
    assert!(scene.server.seen("tools/call")[0].body["params"]["task"].is_null());
    Ok(())
}

#[tokio::test]
async fn a_modern_servers_task_goes_by_an_id_of_its_callers() -> Result<()> {
    let scene = Scene::before(server(Speaks::Modern).await, "").await?;
    scene.server.on("quick", [Reaction::Result(BEGUN)]);
    scene.server.on("tasks/get", [Reaction::Result(ENDED)]);
    scene
        .server
        .on("tasks/update", [Reaction::Result(r#"{"resultType":"complete"}"#)]);
    scene
        .server
        .on("tasks/cancel", [Reaction::Result(r#"{"resultType":"complete"}"#)]);
    let client = scene.modern()?;
    let answer = begin(&client).await?;
    let id = client.created(&answer)?["taskId"].clone();
    assert!(!id.to_string().contains("irs"), "{id}");
    let got = client.send("tasks/get", json!({"taskId": id})).await?;
    let text = String::from_utf8_lossy(&got.body).into_owned();
    assert!(text.contains(r#""result":{"content":[ ],"n":1.00}"#), "{text}");
    assert_eq!(got.json()["result"]["taskId"], id);
    let responses = json!({"taskId": id, "inputResponses": {"a": {"action": "accept"}}});
    assert_eq!(
        client.ask("tasks/update", responses).await?["result"],
        json!({"resultType": "complete"})
    );
    client.about("tasks/cancel", &id).await?;
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(asked(&scene, method), ["théirs"], "{method}");
        let seen = scene.server.seen(method).remove(0);
        assert_eq!(seen.headers["mcp-name"], "=?base64?dGjDqWlycw==?=", "{method}");
        let declared = &seen.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        assert!(
            declared["extensions"]["io.modelcontextprotocol/tasks"].is_object(),
            "{declared}"
        );
    }
    let update = scene.server.seen("tasks/update").remove(0);
    assert_eq!(
        update.body["params"]["inputResponses"],
        json!({"a": {"action": "accept"}})
    );
    let legacy = scene.legacy().await?;
    assert_eq!(
        code(&legacy.about("tasks/get", &id).await?),
        -32602,
        "a session is somebody else"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_makes_a_task_for_who_knows_none_is_at_fault() -> Result<()> {
    let scene = Scene::before(server(Speaks::Modern).await, "").await?;
    scene.server.on("quick", [Reaction::Result(BEGUN)]);
    let reply = Modern::at(&scene.gateway.url())?
        .send(&call(1, "quick", &json!({})))
        .await?;
    assert_eq!(code(&reply.json()), -31003, "{}", reply.json());
    let seen = scene.server.seen("tools/call").remove(0);
    let declared = &seen.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    assert!(declared["extensions"].is_null(), "{declared}");
    Ok(())
}

#[tokio::test]
async fn what_a_modern_server_needs_declared_is_said_by_the_status_too() -> Result<()> {
    let scene = Scene::before(server(Speaks::Modern).await, "").await?;
    let needs = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32021,"message":"declare it","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}"#;
    scene.server.on("quick", [Reaction::Status(400, needs)]);
    let reply = Modern::at(&scene.gateway.url())?
        .send(&call(1, "quick", &json!({})))
        .await?;
    let body = reply.json();
    assert_eq!((reply.status, code(&body)), (400, -32021), "{body}");
    assert!(body["error"]["data"]["requiredCapabilities"]["extensions"].is_object());
    Ok(())
}
