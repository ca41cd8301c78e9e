//! What is under way is stopped or cancelled, and what is not says so.

use std::time::Duration;

use anyhow::Result;

use crate::scene::{PATIENCE, Scene};

const PATIENT: &str = "{max: 20, exponential: {initial: 10m, max: 10m}}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_stopped_and_taken_up_again() -> Result<()> {
    let scene = Scene::open(503, PATIENT).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.0).await?;
    scene.receiver.answered(1, PATIENCE).await;
    let due = scene.once(&id, "due").await;
    assert!(due["nextAttemptAt"].is_string(), "{due}");

    let said = scene.jobs(&["stop", &id]).await?;
    assert!(
        said.succeeded && said.out.contains("(state: stopped)"),
        "{said:?}"
    );
    scene.gateway.at_rest(PATIENCE).await;
    let again = scene.jobs(&["stop", &id]).await?;
    assert!(
        !again.succeeded && again.err.contains("the job is stopped"),
        "{again:?}"
    );

    scene.answer(200, Duration::ZERO);
    assert!(scene.jobs(&["replay", &id]).await?.succeeded);
    scene.once(&id, "delivered").await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_cancelled_and_its_receiver_told() -> Result<()> {
    let scene = Scene::open(200, PATIENT).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 600.0).await?;
    scene.once(&id, "running").await;

    let said = scene.jobs(&["cancel", &id]).await?;
    assert!(said.succeeded, "{said:?}");
    let job = scene.once(&id, "delivered").await;
    assert_eq!(job["outcome"], "cancelled");
    let posts = scene.receiver.answered(1, PATIENCE).await;
    assert!(posts[0].response()["error"]["code"].is_i64());
    let again = scene.jobs(&["cancel", &id]).await?;
    assert!(!again.succeeded, "{again:?}");
    assert!(again.err.contains("its delivery is stopped"), "{again:?}");
    Ok(())
}
