//! A sync of the store that is done and reports failure: nobody knows whether the commit happened, and it did.
//!
//! Invariant: each test sees its fault happen.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::sync_fault::SyncFault;
use http::StatusCode;
use serde_json::json;

use crate::scene::{SOON, Scene, TOOL, answers, compiled};

/// The call's only answer: a result, and none that says that it was interrupted.
fn has_its_result(receiver: &Receiver, id: u64) -> Result<()> {
    let told = answers(&receiver.posts(), id);
    let first = told.first().context("no answer")?;
    ensure!(first.get("result").is_some(), "{first}");
    ensure!(told.iter().all(|again| again == first), "{told:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_in_doubt_is_a_start() -> Result<()> {
    let (fault, receiver) = (SyncFault::new(compiled())?, Receiver::willing().await?);
    let scene = Scene::open(&receiver, "{max: 1}", fault.launch()).await?;
    let session = scene.session().await?;
    fault.fail(2)?; // the acceptance is the first commit
    let id = scene.call(&session, 1, 0.0).await?;
    fault.happened().await;
    scene.once(&id, "delivered").await;
    has_its_result(&receiver, 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_is_in_doubt_is_delivered() -> Result<()> {
    let (fault, receiver) = (SyncFault::new(compiled())?, Receiver::willing().await?);
    let scene = Scene::open(&receiver, "{max: 1}", fault.launch()).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 0.7).await?;
    scene.once(&id, "running").await;
    fault.fail(1)?;
    fault.happened().await;
    scene.once(&id, "delivered").await;
    has_its_result(&receiver, 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_is_in_doubt_is_made() -> Result<()> {
    let fault = Arc::new(SyncFault::new(compiled())?);
    let arming = Arc::clone(&fault);
    let receiver = Receiver::start(move |post| {
        let first = post.earlier == 0;
        let armed = first && arming.fail(1).is_ok();
        async move {
            if armed {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::OK
            }
        }
    })
    .await?;
    let retry = "{max: 3, exponential: {initial: 1s, jitterPercent: 0}}";
    let scene = Scene::open(&receiver, retry, fault.launch()).await?;
    let id = scene.call(&scene.session().await?, 1, 0.0).await?;
    fault.happened().await;
    let job = scene.once(&id, "delivered").await;
    assert_eq!(job["attempts"], 2, "{job}");
    has_its_result(&receiver, 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acceptance_that_is_in_doubt_is_refused_and_the_same_call_again_is_the_same_job() -> Result<()> {
    let (fault, receiver) = (SyncFault::new(compiled())?, Receiver::willing().await?);
    let scene = Scene::open(&receiver, "{max: 1}", fault.launch()).await?;
    let session = scene.session().await?;
    fault.fail(1)?;
    let refused = session
        .call(1, TOOL, &json!({"seconds": 0.0, "items": 1}))
        .await?;
    fault.happened().await;
    assert!(!refused.is_acknowledgement(), "{}", refused.json());
    let again = eventually(SOON, || async {
        let again = scene.call(&session, 1, 0.0).await;
        again.map_err(|error| error.to_string())
    })
    .await;
    scene.once(&again, "delivered").await;
    has_its_result(&receiver, 1)?;
    assert_eq!(scene.example.ran().len(), 0, "these calls have no key");
    tokio::time::timeout(Duration::from_secs(30), scene.gateway.at_rest(SOON)).await?;
    Ok(())
}

/// Whatever still runs could not be stored: the process ends at once, and the next one recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_failed_for_good_ends_the_process_at_once() -> Result<()> {
    let (fault, receiver) = (SyncFault::new(compiled())?, Receiver::willing().await?);
    let mut scene = Scene::open(&receiver, "{max: 1}", fault.launch()).await?;
    let session = scene.session().await?;
    let id = scene.call(&session, 1, 20.0).await?;
    scene.once(&id, "running").await;
    fault.fail_for_good()?;
    let _ = scene.call(&session, 2, 0.0).await; // any commit: nobody hears the answer
    let began = std::time::Instant::now();
    let status = scene.gateway.process.ended(SOON).await;
    assert!(!status.success());
    // The grace period of a route is 60 s, of which 30 are for what runs.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    Ok(())
}
