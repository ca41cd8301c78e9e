//! Modern clients that leave: closing the connection is how they cancel.

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::Reaction;
use asyncmcp_tests::modern::{call, request};
use asyncmcp_tests::session::Session;
use http::Method;
use serde_json::json;

use crate::scene::{SOON, Scene, session};

/// Before the server's head, the answer's form is open; after it, the answer is a stream.
#[tokio::test]
async fn a_call_whose_client_left_is_cancelled_at_the_server_and_its_session_ended() -> Result<()> {
    for silence in [Reaction::Hangs, Reaction::Stalls("text/event-stream")] {
        let scene = Scene::open("").await?;
        scene.server.on("quick", [silence.clone()]);
        let client = scene.client()?;
        let calling = tokio::spawn(async move { client.send(&call(7, "quick", &json!({}))).await });
        let seen = eventually(SOON, async || scene.calls().pop()).await;
        calling.abort();
        let cancelled = eventually(SOON, async || scene.server.seen("notifications/cancelled").pop()).await;
        assert_eq!(
            cancelled.body["params"]["requestId"], seen.body["id"],
            "{silence:?}"
        );
        assert_eq!(session(&cancelled), session(&seen));
        eventually(SOON, async || {
            let ended = scene.server.seen_http(&Method::DELETE);
            ended
                .iter()
                .any(|ended| session(ended) == session(&seen))
                .then_some(())
        })
        .await;
        is_idle(&scene).await;
    }
    Ok(())
}

/// The call no longer counts, and its metric says how it ended.
async fn is_idle(scene: &Scene) {
    let labels = ["tool=\"quick\"", "error_type=\"cancelled\""];
    let name = "mcp_server_operation_duration_seconds_count";
    eventually(SOON, async || match scene.gateway.metric(name, &labels).await {
        Ok(1.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn a_call_that_was_answered_is_not_cancelled() -> Result<()> {
    let scene = Scene::open("").await?;
    let client = scene.client()?;
    assert_eq!(client.send(&call(7, "quick", &json!({}))).await?.status, 200);
    drop(client);
    let next = scene.client()?;
    assert_eq!(next.send(&request(8, "tools/list")).await?.status, 200);
    assert!(scene.server.seen("notifications/cancelled").is_empty());
    Ok(())
}

/// In the older versions a connection that closes says nothing (2025-11-25, Transports).
#[tokio::test]
async fn a_legacy_client_that_left_cancels_nothing() -> Result<()> {
    let scene = Scene::open("").await?;
    scene
        .server
        .on("quick", [Reaction::Hangs, Reaction::Result("{}")]);
    let legacy = Session::open(&scene.gateway.url(), None).await?;
    let again = legacy.clone();
    let calling = tokio::spawn(async move { legacy.call(7, "quick", &json!({})).await });
    eventually(SOON, async || scene.calls().pop()).await;
    calling.abort();
    assert_eq!(again.call(8, "quick", &json!({})).await?.status, 200);
    assert!(scene.server.seen("notifications/cancelled").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_job_whose_client_left_is_executed_and_delivered() -> Result<()> {
    let scene = Scene::open("").await?;
    scene
        .server
        .on("slow", [Reaction::Result(r#"{"content":[],"n":1e400}"#)]);
    let client = scene.client()?;
    let acknowledged = client.send(&call(7, "slow", &json!({}))).await?;
    assert!(acknowledged.job().is_some());
    drop(client);
    let posts = scene.receiver.answered(1, SOON).await;
    assert!(String::from_utf8_lossy(&posts[0].body).contains(r#""n":1e400"#));
    assert!(scene.server.seen("notifications/cancelled").is_empty());
    Ok(())
}
