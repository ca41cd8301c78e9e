//! SIGKILL between the beginning of a task and its poll: whoever has the id gets the outcome from the next process.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::Reaction;
use serde_json::json;

use crate::scene::{AUTH, ONE, RESULT, SOON, Scene, TWO, code};

#[tokio::test]
async fn a_task_outlives_the_process_that_it_began_in() -> Result<()> {
    let mut scene = Scene::open(AUTH).await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let clients = scene.both_with(ONE).await?;
    let mut tasks = Vec::new();
    for client in &clients {
        tasks.push(client.begin().await?["taskId"].clone());
    }
    eventually(SOON, async || scene.server.ran("slow") == 2).await;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    scene.gateway.restart(&[]).await?;
    for (client, task) in clients.iter().zip(&tasks) {
        client.once(task, "completed").await;
    }
    // Over, it outlives the next one as well, and is still nobody else's.
    scene.gateway.restart(&[]).await?;
    for (client, task) in clients.iter().zip(&tasks) {
        client.once(task, "completed").await;
        for other in scene.both_with(TWO).await? {
            assert_eq!(code(&other.about("tasks/get", task).await?), -32602);
        }
    }
    let result = clients[0].about("tasks/result", &tasks[0]).await?;
    assert_eq!(result["result"]["n"], 1.0, "{result}");
    Ok(())
}

#[tokio::test]
async fn who_waits_while_the_process_dies_waits_again_at_the_next_one() -> Result<()> {
    let mut scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let client = scene.legacy().await?;
    let task = client.begin().await?["taskId"].clone();
    let waiting = client.send("tasks/result", json!({"taskId": task}));
    let killing = async {
        eventually(SOON, async || scene.server.ran("slow") == 1).await;
        scene.server.on("slow", [Reaction::Result(RESULT)]);
        scene.gateway.restart(&[]).await
    };
    let (waited, killed) = tokio::join!(waiting, killing);
    killed?;
    assert!(waited.is_err(), "its connection broke");
    let result = client.about("tasks/result", &task).await?;
    assert_eq!(result["result"]["n"], 1.0, "{result}");
    Ok(())
}

/// SIGTERM: who waits is told to come back, and does not hold up the end of the process.
#[tokio::test]
async fn who_waits_is_sent_away_by_a_process_that_ends() -> Result<()> {
    let mut scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let client = scene.legacy().await?;
    let task = client.begin().await?["taskId"].clone();
    let waiting = client.send("tasks/result", json!({"taskId": task}));
    let ending = async {
        eventually(SOON, async || scene.server.ran("slow") == 1).await;
        scene.gateway.process.terminate()
    };
    let (waited, ended) = tokio::join!(waiting, ending);
    ended?;
    let answer = waited?.json();
    assert_eq!(code(&answer), -31004, "{answer}");
    eventually(Duration::from_mins(1), || {
        let has_ended = !scene.gateway.process.is_running().unwrap_or(true);
        async move { has_ended }
    })
    .await;
    Ok(())
}

/// A queued task that was cancelled does not run in the next process, and is still cancelled there.
#[tokio::test]
async fn a_cancellation_outlives_the_process() -> Result<()> {
    let mut scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let clients = scene.both().await?;
    let mut tasks = Vec::new();
    for client in &clients {
        let task = client.begin().await?["taskId"].clone();
        assert!(client.about("tasks/cancel", &task).await?["error"].is_null());
        tasks.push(task);
    }
    let ran = scene.server.ran("slow");
    scene.gateway.restart(&[]).await?;
    for (client, task) in clients.iter().zip(&tasks) {
        client.once(task, "cancelled").await;
    }
    assert_eq!(scene.server.ran("slow"), ran);
    Ok(())
}
