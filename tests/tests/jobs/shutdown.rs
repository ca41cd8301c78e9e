//! An orderly end: what is due is delivered while the process lives, and Ctrl-C a second time ends it.
//!
//! Invariant: whatever was acknowledged is delivered by this process or by the next one.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::scene::{PATIENCE, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_result_of_a_call_that_ends_during_the_shutdown_is_delivered_before_the_end() -> Result<()> {
    let mut scene = Scene::open(200, "{max: 0}").await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 3.0).await?;
    scene.once(&id, "running").await;
    scene.gateway.process.terminate()?;
    let status = scene.gateway.process.ended(PATIENCE).await;
    assert!(status.success(), "{status}");
    assert_eq!(
        scene.receiver.count(),
        1,
        "delivered by the process that was ended"
    );
    let said = scene.gateway.process.output();
    assert!(
        said.contains("shutting down") && said.contains("\"ended\""),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_ctrl_c_ends_the_process_at_once_and_loses_nothing() -> Result<()> {
    let mut scene = Scene::open(200, "{max: 0}").await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 600.0).await?;
    scene.once(&id, "running").await;
    scene.gateway.process.interrupt()?;
    scene.gateway.process.said("shutting down", PATIENCE).await;
    let begun = Instant::now();
    scene.gateway.process.interrupt()?;
    let status = scene.gateway.process.ended(PATIENCE).await;
    assert_eq!(status.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let said = scene.gateway.process.output();
    assert!(said.contains("Ctrl-C again: ending at once"), "{said}");
    // The call may run only once: the next process delivers that its outcome is unknown.
    scene.gateway.relaunch(&[])?;
    scene.gateway.ready().await;
    let job = scene.once(&id, "delivered").await;
    assert_eq!(job["outcome"], "unknown", "{job}");
    Ok(())
}
