//! Legacy clients that are asked by a modern server, and what can go wrong between the question and the answer.
//!
//! Invariant: a call never hangs, and no answer reaches another question than its own.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use serde_json::{Value, json};

use crate::asking::{Calling, DONE, NEEDS_BOTH, NEEDS_ROOTS, call, capable, scene};
use crate::scene::{SOON, Scene};

const ROOTS: &str = r#"{"roots":[]}"#;

#[tokio::test]
async fn a_client_that_does_not_answer_gets_an_error_in_time_and_its_late_answer_is_dropped() -> Result<()> {
    let scene = scene(&[NEEDS_BOTH, DONE], "  transport: {timeout: 1s}\n").await?;
    let mut calling = Calling::begin(&capable(&scene).await?, 7).await?;
    let name = calling.question("elicitation/create").await?;
    let roots = calling.question("roots/list").await?;
    calling.answer(&roots, ROOTS).await?;
    let withdrawn = calling.next().await?.context("no message")?;
    assert_eq!(
        withdrawn["params"]["requestId"], name["id"],
        "the answered one is not"
    );
    let last = calling.next().await?.context("no response")?;
    assert_eq!((&last["id"], &last["error"]["code"]), (&json!(7), &json!(-31002)));
    assert!(
        last["error"]["message"].to_string().contains("within 1s"),
        "{last}"
    );
    calling.answer(&name, "{}").await?;
    assert_eq!(scene.calls().len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_round_after_the_sixteenth_is_refused() -> Result<()> {
    let scene = scene(&[NEEDS_ROOTS], "").await?;
    let mut calling = Calling::begin(&capable(&scene).await?, 7).await?;
    for _ in 0..16 {
        let roots = calling.question("roots/list").await?;
        calling.answer(&roots, ROOTS).await?;
    }
    let last = calling.next().await?.context("no response")?;
    assert_eq!((&last["id"], &last["error"]["code"]), (&json!(7), &json!(-31003)));
    assert_eq!(scene.calls().len(), 17);
    Ok(())
}

#[tokio::test]
async fn a_forged_answer_reaches_nobody() -> Result<()> {
    let scene = scene(&[NEEDS_ROOTS, NEEDS_ROOTS, DONE], "").await?;
    let mut calling = Calling::begin(&capable(&scene).await?, 1).await?;
    let mut other = Calling::begin(&capable(&scene).await?, 1).await?;
    let (mine, theirs) = (
        calling.question("roots/list").await?,
        other.question("roots/list").await?,
    );
    let forged = r#"{"roots":["forged"]}"#;
    // The other session's question, an id cut short, a server's kind of id, and the call's own.
    calling.answer(&theirs, forged).await?;
    let text = mine["id"].as_str().context("no text")?;
    for id in [json!(text[..text.len() - 1]), json!("asyncmcp:1"), json!(1)] {
        calling.answer(&json!({"id": id}), forged).await?;
    }
    calling.answer(&mine, ROOTS).await?;
    assert_eq!(
        calling.next().await?.context("no response")?["result"],
        json!({"content": []})
    );
    other.answer(&theirs, ROOTS).await?;
    assert_eq!(other.next().await?.context("no response")?["id"], 1);
    assert!(scene.calls().iter().all(|seen| !seen.raw.contains("forged")));
    Ok(())
}

/// As everywhere in the legacy era, a connection that breaks cancels nothing.
#[tokio::test]
async fn a_client_whose_connection_broke_can_still_answer() -> Result<()> {
    let scene = scene(&[NEEDS_ROOTS, DONE], "").await?;
    let client = capable(&scene).await?;
    let mut calling = Calling::begin(&client, 7).await?;
    let roots = calling.question("roots/list").await?;
    drop(calling);
    let answer = json!({"jsonrpc": "2.0", "id": roots["id"], "result": {"roots": []}});
    assert_eq!(client.post(answer.to_string()).await?.status, 202);
    eventually(SOON, async || (scene.calls().len() == 2).then_some(())).await;
    Ok(())
}

#[tokio::test]
async fn a_client_that_vanished_holds_nothing_for_longer_than_the_timeout() -> Result<()> {
    let scene = scene(&[NEEDS_ROOTS], "  transport: {timeout: 1s}\n").await?;
    let client = capable(&scene).await?;
    let mut calling = Calling::begin(&client, 7).await?;
    calling.question("roots/list").await?;
    drop(calling);
    ended_as(&scene, "timeout").await;
    assert_eq!(scene.calls().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_its_client_is_asked_ends_there() -> Result<()> {
    let scene = scene(&[NEEDS_ROOTS, DONE], "").await?;
    let client = capable(&scene).await?;
    let mut calling = Calling::begin(&client, 7).await?;
    let roots = calling.question("roots/list").await?;
    cancel(&scene, &client, &json!(7)).await?;
    assert_eq!(calling.next().await?, None, "nothing answers what was cancelled");
    calling.answer(&roots, ROOTS).await?;
    assert_eq!(client.post(call(8).to_string()).await?.json()["id"], 8);
    assert_eq!(scene.calls().len(), 2, "the cancelled call has no next round");
    Ok(())
}

/// A modern server hears of it by the end of the connection.
#[tokio::test]
async fn a_call_that_is_cancelled_while_a_modern_server_works_is_given_up_there() -> Result<()> {
    let server = McpServer::start(&["quick"]).await;
    server.nature().speaks = Speaks::Modern;
    server.on("quick", [Reaction::Stalls("text/event-stream")]);
    let scene = Scene::before(server.clone(), "").await?;
    let client = capable(&scene).await?;
    let mut calling = Calling::begin(&client, 7).await?;
    cancel(&scene, &client, &json!("7")).await?;
    assert_eq!(server.nature().given_up, 0, "a text is another id");
    cancel(&scene, &client, &json!(7)).await?;
    assert_eq!(calling.next().await?, None);
    eventually(SOON, async || (server.nature().given_up == 1).then_some(())).await;
    Ok(())
}

/// Of a call that began, nobody can say that it did not run.
#[tokio::test]
async fn a_server_that_is_gone_at_the_next_round_leaves_an_unknown_outcome() -> Result<()> {
    let scene = scene(&[NEEDS_ROOTS], "").await?;
    let mut calling = Calling::begin(&capable(&scene).await?, 7).await?;
    let roots = calling.question("roots/list").await?;
    scene.server.on("quick", [Reaction::Status(401, "who are you?")]);
    calling.answer(&roots, ROOTS).await?;
    let last = calling.next().await?.context("no response")?;
    assert_eq!((&last["id"], &last["error"]["code"]), (&json!(7), &json!(-31003)));
    Ok(())
}

#[tokio::test]
async fn questions_that_no_client_could_answer_are_not_asked() -> Result<()> {
    for needs in [
        r#"{"resultType":"input_required"}"#,
        r#"{"resultType":"input_required","inputRequests":{"p":{"method":"ping"}}}"#,
        r#"{"resultType":"input_required","inputRequests":[1]}"#,
    ] {
        let scene = scene(&[needs], "").await?;
        let reply = capable(&scene).await?.post(call(7).to_string()).await?.json();
        assert_eq!(reply["error"]["code"], -31003, "{reply}");
        assert_eq!(scene.calls().len(), 1);
    }
    Ok(())
}

/// Cancels, and waits until the calls that end by it have ended.
async fn cancel(scene: &Scene, client: &asyncmcp_tests::session::Session, id: &Value) -> Result<()> {
    let params = json!({"requestId": id});
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
    assert_eq!(client.post(cancel.to_string()).await?.status, 202);
    if id.is_number() {
        ended_as(scene, "cancelled").await;
    }
    Ok(())
}

async fn ended_as(scene: &Scene, outcome: &str) {
    let label = format!(r#"error_type="{outcome}""#);
    eventually(Duration::from_secs(20), || async {
        let labels = [label.as_str()];
        let ended = scene
            .gateway
            .metric("mcp_server_operation_duration_seconds_count", &labels);
        let ended = ended.await.map_err(|error| error.to_string())?;
        if ended > 0.0 {
            Ok(())
        } else {
            Err("no call ended so".to_owned())
        }
    })
    .await;
}
