//! Tasks and the limits of clients and of the store: results that wait count, and what is refused was not begun.

use anyhow::Result;
use asyncmcp_tests::mcp::Reaction;
use serde_json::json;

use crate::scene::{SOON, Scene, code};

#[tokio::test]
async fn as_many_tasks_may_be_unfinished_as_jobs() -> Result<()> {
    let scene = Scene::open("  webhook: {perClient: {maxPending: 2}}\n").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    for client in scene.both().await? {
        let first = client.begin().await?;
        client.begin().await?;
        let answer = client
            .ask("tools/call", json!({"name": "slow", "task": {}}))
            .await?;
        assert_eq!(code(&answer), -31004, "{answer}");
        assert!(answer["error"]["data"]["retryAfterMs"].as_u64() > Some(0));
        client.about("tasks/cancel", &first["taskId"]).await?;
        client.begin().await?;
    }
    Ok(())
}

/// Nobody takes them away to make room: not before their time is over, or the client's share of the store would hold
/// promises that are broken.
#[tokio::test]
async fn results_that_wait_fill_a_clients_share_and_stay() -> Result<()> {
    let scene = Scene::open("  store: {embedded: {size: 256Mi}}\n  webhook: {maxResultSize: 8Mi}\n").await?;
    let (bytes, stream) = (7 << 20, false);
    scene.server.on("slow", [Reaction::Big { bytes, stream }]);
    let client = scene.legacy().await?;
    let mut tasks = Vec::new();
    let refused = loop {
        let answer = client
            .ask("tools/call", json!({"name": "slow", "task": {}}))
            .await?;
        if !answer["error"].is_null() {
            break answer;
        }
        let id = answer["result"]["task"]["taskId"].clone();
        client.once(&id, "completed").await;
        tasks.push(id);
        assert!(tasks.len() < 60, "more than the store has space for");
    };
    assert_eq!(code(&refused), -31004, "{refused}");
    assert!(tasks.len() > 2, "{} results, then {refused}", tasks.len());
    scene.gateway.at_rest(SOON).await;
    for id in &tasks {
        let result = client.about("tasks/result", id).await?;
        assert!(result["error"].is_null(), "{}", result["error"]);
    }
    Ok(())
}
