//! Webhook tools called by modern clients: accepted, acknowledged by a result, delivered.

use anyhow::Result;
use asyncmcp_tests::mcp::Reaction;
use asyncmcp_tests::modern::call;
use asyncmcp_tests::receiver::Receiver;
use serde_json::json;

use crate::scene::{AUTH, ONE, SOON, Scene, TWO};

#[tokio::test]
async fn a_job_is_acknowledged_by_a_flat_result_and_delivered() -> Result<()> {
    let scene = Scene::open("").await?;
    let reply = scene.client()?.send(&call(7, "slow", &json!({}))).await?;
    let answer = reply.json();
    assert_eq!((reply.status, &answer["id"]), (200, &json!(7)));
    let result = &answer["result"];
    assert_eq!(
        (&result["resultType"], &result["isError"]),
        (&json!("complete"), &json!(false))
    );
    assert_eq!(
        result["_meta"]["dev.asyncmcp/job"]["status"], "working",
        "{result}"
    );
    let posts = scene.receiver.answered(1, SOON).await;
    assert_eq!(posts[0].response()["id"], 7, "{posts:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_names_its_receiver() -> Result<()> {
    let scene = Scene::open("").await?;
    let own = Receiver::willing().await?;
    let named = json!({"dev.asyncmcp/webhook": {"url": own.url("/own")}});
    let reply = scene.client()?.send(&call(7, "slow", &named)).await?;
    assert!(reply.job().is_some(), "{}", reply.json());
    own.answered(1, SOON).await;
    assert_eq!(scene.receiver.count(), 0);
    let refused = scene.client()?.send(&call(8, "quick", &named)).await?;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (200, &json!(-32602))
    );
    Ok(())
}

/// Two clients of one principal, or without any, count their ids from the same number.
#[tokio::test]
async fn a_call_is_the_same_by_its_key_alone() -> Result<()> {
    let scene = Scene::open(AUTH).await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let (one, two) = (scene.client()?.with_token(ONE), scene.client()?.with_token(TWO));
    let plain = call(1, "slow", &json!({}));
    let (first, second) = (one.send(&plain).await?.job(), one.send(&plain).await?.job());
    assert!(first.is_some() && second.is_some() && first != second);
    let key = json!({"dev.asyncmcp/idempotencyKey": "k"});
    let keyed = one.send(&call(2, "slow", &key)).await?.job();
    assert!(keyed.is_some() && keyed != first);
    assert_eq!(one.send(&call(3, "slow", &key)).await?.job(), keyed);
    assert_ne!(two.send(&call(2, "slow", &key)).await?.job(), keyed);
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}});
    assert_eq!(one.send(&cancel).await?.status, 202);
    assert_eq!(
        one.send(&call(4, "slow", &key)).await?.json()["result"]["_meta"]["dev.asyncmcp/job"]["status"],
        "working"
    );
    Ok(())
}

#[tokio::test]
async fn without_credentials_a_key_still_finds_its_job() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let key = json!({"dev.asyncmcp/idempotencyKey": "k"});
    let first = scene.client()?.send(&call(1, "slow", &key)).await?.job();
    assert!(first.is_some());
    assert_eq!(scene.client()?.send(&call(2, "slow", &key)).await?.job(), first);
    Ok(())
}
