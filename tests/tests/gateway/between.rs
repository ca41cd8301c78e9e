//! SIGKILL between two rounds of a call on a modern server: what its client needs to know is the server's, not the process's.
//!
//! Invariant: no round is sent that its client did not ask for, and none twice.

use anyhow::Result;
use asyncmcp_tests::modern::call;
use serde_json::json;

use crate::asking::{self, Calling, DONE, NEEDS_BOTH, NEEDS_ROOTS, capable, scene};
use crate::rounds::{assert_second_round, next_round};
use crate::scene::LASTING;

/// A modern client holds the state of its call, so that it need not notice.
#[tokio::test]
async fn a_modern_client_sends_the_next_round_to_the_next_process() -> Result<()> {
    let mut scene = scene(&[NEEDS_BOTH, DONE], LASTING).await?;
    let client = scene.client()?;
    let needs = client.send(&call(7, "quick", &json!({}))).await?.json();
    assert_eq!(needs["result"]["resultType"], "input_required", "{needs}");
    scene.gateway.restart(&[]).await?;
    let round = next_round(7, "quick", &json!({}));
    let last = scene.client()?.send(&round).await?.json();
    assert_eq!(last["result"]["content"], json!([]), "{last}");
    assert_second_round(&scene, &round);
    Ok(())
}

/// A legacy client is asked on the stream of its call, which ends with the process, and so does the call. Its session does
/// not: its late answer is accepted and reaches nobody, and it may call again.
#[tokio::test]
async fn the_call_of_a_legacy_client_that_is_asked_ends_with_the_process() -> Result<()> {
    let mut scene = scene(&[NEEDS_ROOTS, DONE], LASTING).await?;
    let client = capable(&scene).await?;
    let mut calling = Calling::begin(&client, 7).await?;
    let question = calling.question("roots/list").await?;
    scene.gateway.restart(&[]).await?;
    assert_eq!(calling.next().await?, None, "the stream broke, without an answer");
    calling.answer(&question, r#"{"roots":[]}"#).await?;
    let last = client.post(asking::call(8).to_string()).await?.json();
    assert_eq!(last["result"]["content"], json!([]), "{last}");
    let seen = scene.calls();
    assert_eq!(seen.len(), 2, "the late answer was no round");
    assert!(
        seen[1].body["params"].get("requestState").is_none(),
        "{}",
        seen[1].raw
    );
    Ok(())
}
