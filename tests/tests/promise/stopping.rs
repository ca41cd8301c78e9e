//! A delivery that is stopped and replayed while an attempt is under way.
//!
//! Invariant: the receiver's last word on the delivery is the job's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::Launch;
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::Receiver;
use http::StatusCode;

use crate::scene::{SOON, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_attempt_that_was_stopped_says_nothing_about_the_one_that_the_replay_began() -> Result<()> {
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    // The first answers late and badly, the second later and well.
    let receiver = Receiver::start(move |_| {
        let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let (status, after) = if first {
                (StatusCode::SERVICE_UNAVAILABLE, 3)
            } else {
                (StatusCode::OK, 5)
            };
            tokio::time::sleep(Duration::from_secs(after)).await;
            status
        }
    })
    .await?;
    let scene = Scene::open(&receiver, "{max: 0}", Launch::default()).await?;
    let id = scene.call(&scene.session().await?, 1, 0.0).await?;
    eventually(SOON, || async {
        if came.load(Ordering::Relaxed) == 1 {
            Ok(())
        } else {
            Err("no attempt")
        }
    })
    .await;
    assert_eq!(scene.act(&format!("/jobs/{id}/stop")).await?, 200);
    assert_eq!(scene.act(&format!("/jobs/{id}/replay")).await?, 200);
    let job = scene.once(&id, "delivered").await;
    assert!(
        scene.dead_letters().await? < 1.0,
        "no dead letter, and none is counted"
    );
    let outcomes: Vec<_> = job["history"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| &entry["outcome"])
        .collect();
    assert_eq!(outcomes, ["interrupted", "delivered"]);
    scene.gateway.at_rest(SOON).await;
    assert_eq!(
        came.load(Ordering::Relaxed),
        2,
        "no attempt ran beside the second"
    );
    Ok(())
}
