//! SIGTERM: what runs may finish, what waits is kept, and the process ends by itself with exit code 0.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::stage::{AGAIN, ONCE, PATIENCE, Stage, batch, call_surely};

/// Jobs that run at once on one server.
const ROOM: usize = 16;
/// How many wait behind them.
const QUEUED: usize = 4;
/// What is left of the route's 40 s for running calls.
const GRACE: Duration = Duration::from_secs(10);
/// Seconds that a call takes which is still running then.
const LONGER_THAN_GRACE: f64 = 20.0;

#[tokio::test]
async fn running_calls_finish_and_queued_ones_run_after_the_restart() -> Result<()> {
    let mut stage = Stage::open(Receiver::willing().await?, &[]).await?;
    let session = stage.session(None).await?;
    for (id, key) in (1..).zip(keys()) {
        call_surely(&session, id, ONCE, &batch(2.0, &key)).await?;
    }
    stage.ran(ROOM).await;
    stage.gateway.process.terminate()?;
    refused(&stage, &session).await?;
    let status = stage.gateway.process.ended(GRACE).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        stage.example.ran().len(),
        ROOM,
        "a queued call began while draining"
    );
    stage.gateway.restart(&[]).await?;
    let posts = stage.receiver.answered(ROOM + QUEUED, PATIENCE).await;
    stage.gateway.at_rest(PATIENCE).await;
    let results = posts.iter().filter(|post| post.response()["result"].is_object());
    assert_eq!((results.count(), stage.receiver.count()), (20, 20));
    let ran = stage.example.ran();
    let distinct: HashSet<_> = ran.iter().cloned().collect();
    assert_eq!((ran.len(), distinct), (ROOM + QUEUED, keys().collect()));
    Ok(())
}

fn keys() -> impl Iterator<Item = String> {
    (1..=ROOM + QUEUED).map(|number| format!("call-{number}"))
}

/// Once the process drains, a new call is told to come again.
async fn refused(stage: &Stage, session: &Session) -> Result<()> {
    eventually(PATIENCE, || async {
        let ready = reqwest::get(stage.gateway.admin("/readyz")).await;
        let status = ready.map_err(|error| error.to_string())?.status();
        let drains = status == StatusCode::SERVICE_UNAVAILABLE;
        drains.then_some(()).ok_or_else(|| status.to_string())
    })
    .await;
    let answer = session.call(99, ONCE, &batch(0.0, "late")).await?.json();
    ensure!(answer["error"]["code"] == -31004, "{answer}");
    ensure!(answer["error"]["data"]["retryAfterMs"].is_u64(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_delivery_under_way_is_ended_and_not_repeated() -> Result<()> {
    let released = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&released);
    let receiver = Receiver::start(move |_| {
        let gate = Arc::clone(&gate);
        async move {
            let _permit = gate.acquire().await;
            StatusCode::OK
        }
    });
    let mut stage = Stage::open(receiver.await?, &[]).await?;
    let session = stage.session(Some("/own")).await?;
    call_surely(&session, 1, ONCE, &batch(0.0, "key")).await?;
    eventually(PATIENCE, || async {
        if stage.receiver.count() == 1 {
            Ok(())
        } else {
            Err("no POST")
        }
    })
    .await;
    stage.gateway.process.terminate()?;
    refused(&stage, &session).await?; // it drains, and waits for the receiver
    assert!(stage.gateway.process.is_running()?);
    released.add_permits(1);
    assert_eq!(stage.gateway.process.ended(GRACE).await.code(), Some(0));
    stage.gateway.restart(&[]).await?;
    stage.gateway.at_rest(PATIENCE).await;
    assert_eq!(stage.receiver.count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_period_is_taken_up_by_the_next_process() -> Result<()> {
    let mut stage = Stage::open(Receiver::willing().await?, &[]).await?;
    let session = stage.session(None).await?;
    call_surely(&session, 1, ONCE, &batch(LONGER_THAN_GRACE, "once")).await?;
    call_surely(&session, 2, AGAIN, &batch(LONGER_THAN_GRACE, "again")).await?;
    stage.ran(2).await;
    let told = Instant::now();
    stage.gateway.process.terminate()?;
    let status = stage.gateway.process.ended(GRACE + Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0));
    assert!(told.elapsed() >= GRACE, "cut after {:?}", told.elapsed());
    stage.gateway.restart(&[]).await?;
    // The server's stream is resumed: its event ids are known.
    let posts = stage.receiver.answered(2, PATIENCE).await;
    assert!(
        posts.iter().all(|post| post.response()["result"].is_object()),
        "{posts:?}"
    );
    assert_eq!(stage.example.ran().len(), 2, "a tool ran again");
    Ok(())
}
