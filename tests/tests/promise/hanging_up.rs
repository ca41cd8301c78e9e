//! Clients and administrators that hang up while what they asked for is committed.
//!
//! Invariant: they never hear an answer; what they asked for happens as a whole, or not at all.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::Launch;
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::Receiver;
use http::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use crate::scene::{SOON, Scene, answers};

/// Moments around a commit.
const MOMENTS: [u64; 5] = [0, 1, 2, 5, 20];
const CANCELLED: i64 = -31006;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_cancels_and_hangs_up_gets_the_cancellation_by_webhook() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let scene = Scene::open(&receiver, "{max: 1}", Launch::default()).await?;
    let (mut id, mut confirmed) = (0, Vec::new());
    for moment in MOMENTS {
        for _ in 0..4 {
            id += 1;
            let session = scene.session().await?; // a connection of its own, which it closes
            scene.call(&session, id, 30.0).await?;
            let cancelled =
                json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
            let asked = timeout(Duration::from_millis(moment), session.post(cancelled.to_string())).await;
            if asked.is_ok() {
                confirmed.push(id);
            }
        }
    }
    // Nothing is in the middle of something, without anybody at work on it.
    eventually(SOON, || async {
        let sending = scene
            .jobs("/jobs?state=sending")
            .await
            .map_err(|error| error.to_string())?;
        match sending["jobs"].as_array().map(Vec::len) {
            Some(0) => Ok(()),
            sending => Err(format!("{sending:?} are sent for ever")),
        }
    })
    .await;
    let posts = receiver.posts();
    for id in confirmed {
        let told = answers(&posts, id);
        assert_eq!(told.len(), 1, "call {id}: {told:?}");
        assert_eq!(told[0]["error"]["code"], CANCELLED, "{told:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_that_hangs_up_during_a_bulk_replay_has_all_of_it_or_nothing() -> Result<()> {
    let receiver = Receiver::start(|post| async move {
        let is_replay = !post.header("asyncmcp-replay").is_empty();
        if is_replay {
            StatusCode::OK
        } else {
            StatusCode::GONE
        }
    })
    .await?;
    let scene = Scene::open(&receiver, "{max: 0}", Launch::default()).await?;
    let session = scene.session().await?;
    let mut ids = Vec::new();
    for id in 0..40 {
        ids.push(scene.call(&session, id, 0.0).await?);
    }
    for id in &ids {
        scene.once(id, "dead").await;
    }
    for moment in MOMENTS {
        let _hung_up = timeout(
            Duration::from_millis(moment),
            scene.act("/jobs/replay?state=dead"),
        )
        .await;
    }
    eventually(SOON, || async {
        let due = scene
            .jobs("/jobs?state=due")
            .await
            .map_err(|error| error.to_string())?;
        let sending = scene
            .jobs("/jobs?state=sending")
            .await
            .map_err(|error| error.to_string())?;
        let left = [due, sending].map(|jobs| jobs["jobs"].as_array().map(Vec::len));
        if left == [Some(0), Some(0)] {
            Ok(())
        } else {
            Err(format!("due and sending: {left:?}"))
        }
    })
    .await;
    Ok(())
}
