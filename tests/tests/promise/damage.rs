//! A file of the store that is gone: the job that it belonged to ends, and all others go on.
//!
//! Arguments and results of more than 256 KiB are files. Invariant: each test loses the only file there is, while the
//! store has it open for nobody.

use anyhow::Result;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::receiver::Receiver;
use http::StatusCode;
use serde_json::json;

use crate::scene::{SOON, answers, once};
use crate::town::{PROMPT, Town, call};

/// More than a value in the store's own file has.
const LARGE: usize = 300 << 10;
/// The JSON-RPC code of a fault of the gateway's own.
const INTERNAL: i64 = -32603;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_lost_its_arguments_did_not_run_and_says_so() -> Result<()> {
    let one = McpServer::start(&["first", "second"]).await;
    one.on("first", [Reaction::Hangs]);
    let other = McpServer::start(&["quick"]).await;
    let servers = [("one", &*one.url(), 1), ("other", &*other.url(), 16)];
    let town = Town::open(&servers, Receiver::willing().await?, "").await?;
    let (client, neighbour) = (town.client().await?, town.client().await?);
    let first = call(&client, "one_first", 1, &json!({})).await?;
    once(&town.gateway, &first, "running").await;
    let second = call(&client, "one_second", 2, &json!({"text": "x".repeat(LARGE)})).await?;
    town.lose_the_file()?;
    once(&town.gateway, &second, "queued").await;
    town.is_prompt(&neighbour, "other_quick", 100).await?;

    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    client.post(cancel.to_string()).await?;
    let told = town.answer(2, PROMPT).await;
    assert_eq!(told["error"]["code"], INTERNAL, "{told}");
    let message = told["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("did not run"), "{told}");
    town.is_prompt(&neighbour, "other_quick", 101).await?;
    town.gateway.at_rest(SOON).await;
    assert_eq!(one.ran("second"), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_lost_before_its_second_attempt_is_a_dead_letter() -> Result<()> {
    let one = McpServer::start(&["large", "quick"]).await;
    let (bytes, stream) = (LARGE, false);
    one.on("large", [Reaction::Big { bytes, stream }]);
    let receiver = Receiver::start(|post| async move {
        if post.body.len() > LARGE {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        }
    })
    .await?;
    let servers = [("one", &*one.url(), 16)];
    let town = Town::open(&servers, receiver, "    retry: {schedule: [2s, 2s]}").await?;
    let client = town.client().await?;
    let large = call(&client, "one_large", 1, &json!({})).await?;
    once(&town.gateway, &large, "due").await;
    town.lose_the_file()?;
    town.is_prompt(&client, "one_quick", 100).await?;

    let job = once(&town.gateway, &large, "dead").await;
    assert_eq!(job["deadReason"], "corrupt", "{job}");
    let corrupt = [r#"reason="corrupt""#];
    eventually(PROMPT, || async {
        let metric = town.gateway.metric("asyncmcp_dead_letters_total", &corrupt);
        metric.await.is_ok_and(|count| count > 0.0)
    })
    .await;
    town.is_prompt(&client, "one_quick", 101).await?;
    town.gateway.at_rest(SOON).await;
    let posts = town.receiver.posts();
    assert_eq!(answers(&posts, 1).len(), 1, "only the first attempt was sent");
    Ok(())
}
