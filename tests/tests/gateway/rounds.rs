//! Modern clients whose modern server needs something of them, and jobs whose server does.
//!
//! Invariant: between two modern ends nothing of a round is changed, kept, or taken for what was sent before.

use anyhow::Result;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use asyncmcp_tests::modern::{call, meta};
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};

use crate::asking::{DONE, NEEDS_BOTH, scene};
use crate::scene::{SOON, Scene};

/// The next round of a call of `tool`, with this member of `_meta`.
pub(crate) fn next_round(id: u64, tool: &str, more: &Value) -> Value {
    let params = json!({
        "name": tool, "arguments": {}, "_meta": meta(more),
        "inputResponses": {"name": {"action": "accept"}, "where": {"roots": []}}, "requestState": "state/ ",
    });
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

#[tokio::test]
async fn rounds_pass_untouched_between_modern_ends() -> Result<()> {
    let scene = scene(&[NEEDS_BOTH, DONE], "").await?;
    let client = scene.client()?;
    let needs = client.send(&call(7, "quick", &json!({}))).await?;
    let text = String::from_utf8_lossy(&needs.body).into_owned();
    assert!(text.contains(NEEDS_BOTH), "{text}");
    let round = next_round(7, "quick", &json!({}));
    let last = client.send(&round).await?;
    assert_eq!(
        (&last.json()["id"], &last.json()["result"]["content"]),
        (&json!(7), &json!([]))
    );
    assert_second_round(&scene, &round);
    Ok(())
}

/// The server got a second round, with what the client sent in it.
pub(crate) fn assert_second_round(scene: &Scene, round: &Value) {
    let seen = scene.calls();
    assert_eq!(seen.len(), 2);
    for member in ["inputResponses", "requestState"] {
        assert_eq!(
            seen[1].body["params"][member], round["params"][member],
            "{member}"
        );
    }
}

/// One with the same id and key as the round before, of a tool that became a webhook tool meanwhile.
#[tokio::test]
async fn the_next_round_of_a_call_is_neither_a_job_nor_the_call_before() -> Result<()> {
    let scene = scene(&[], "").await?;
    let key = json!({"dev.asyncmcp/idempotencyKey": "k"});
    let client = scene.client()?;
    let accepted = client.send(&call(7, "slow", &key)).await?;
    assert!(accepted.job().is_some(), "{}", accepted.json());
    scene.receiver.answered(1, SOON).await;
    for _ in 0..2 {
        let answer = client.send(&next_round(7, "slow", &key)).await?;
        assert_eq!(answer.job(), None, "{}", answer.json());
        assert_eq!(answer.json()["result"]["content"], json!([]));
    }
    assert_eq!(scene.calls().len(), 3);
    let round = &scene.calls()[2].body["params"];
    assert_eq!(round["requestState"], "state/ ");
    Ok(())
}

/// Of both eras' clients: nobody can be asked in a job.
#[tokio::test]
async fn a_job_whose_server_needs_its_client_ends_with_an_error() -> Result<()> {
    let server = McpServer::start(&["slow"]).await;
    server.nature().speaks = Speaks::Modern;
    server.on("slow", [Reaction::Result(NEEDS_BOTH)]);
    let scene = Scene::before(server, "").await?;
    let legacy =
        Session::open_capable(&scene.gateway.url(), &json!({"roots": {}, "elicitation": {}})).await?;
    assert!(legacy.call(1, "slow", &json!({})).await?.is_acknowledgement());
    let modern = scene.client()?.send(&call(2, "slow", &json!({}))).await?;
    assert!(modern.job().is_some(), "{}", modern.json());
    for post in scene.receiver.answered(2, SOON).await {
        let error = &post.response()["error"];
        assert_eq!(error["code"], -32021, "{error}");
        let message = error["message"].to_string();
        assert!(
            message.contains("slow") && message.contains("webhookTools"),
            "{message}"
        );
    }
    let calls = scene.calls();
    assert_eq!(calls.len(), 2);
    for seen in calls {
        let declared = &seen.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        assert_eq!(*declared, tasks, "a server should know before");
    }
    Ok(())
}
