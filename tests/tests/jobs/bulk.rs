//! Hundreds of dead letters are replayed, and live deliveries to the same receiver do not notice.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use asyncmcp_tests::eventually;
use asyncmcp_tests::session::Session;
use futures::future::try_join_all;

use crate::scene::{PATIENCE, Scene};

const DEAD: u64 = 400;
const LIVE: u64 = 20;
/// How long the receiver takes. Eight at a time, all dead letters would keep it busy for five seconds.
const SLOW: Duration = Duration::from_millis(100);
/// The most that a live delivery may take meanwhile: a call, a result and one attempt on a busy machine.
const UNNOTICED: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_replay_does_not_delay_live_deliveries() -> Result<()> {
    let scene = Scene::open(410, "{max: 1}").await?;
    let session = scene.session().await?;
    let calls = (0..DEAD).map(|id| scene.call(&session, id, 0.0));
    try_join_all(calls).await?;
    scene.dead(DEAD).await;

    scene.answer(200, SLOW);
    let said = scene
        .jobs(&["replay", "--all", "--dead-reason", "http_4xx"])
        .await?;
    assert_eq!(said.out.trim(), format!("{DEAD} queued for replay"), "{said:?}");
    let mut slowest = Duration::ZERO;
    for id in 0..LIVE {
        slowest = slowest.max(live(&scene, &session, DEAD + id).await?);
    }
    let replayed = replayed(&scene);
    assert!(
        slowest < UNNOTICED,
        "{slowest:?} with {replayed} replayed meanwhile"
    );
    assert!(replayed > 10, "only {replayed} were replayed meanwhile");
    assert!(
        replayed < usize::try_from(DEAD)?,
        "nothing competed with the live ones"
    );

    scene.answer(200, Duration::ZERO);
    scene.gateway.at_rest(PATIENCE).await;
    assert_eq!(self::replayed(&scene), usize::try_from(DEAD)?);
    Ok(())
}

fn replayed(scene: &Scene) -> usize {
    let posts = scene.receiver.posts();
    posts
        .iter()
        .filter(|post| post.header("asyncmcp-replay") == "1" && post.is_taken())
        .count()
}

/// How long a delivery takes from the call to the receiver's answer.
async fn live(scene: &Scene, session: &Session, id: u64) -> Result<Duration> {
    let began = Instant::now();
    scene.call(session, id, 0.0).await?;
    let found = || {
        let posts = scene.receiver.posts().into_iter();
        let mut taken = posts.filter(|post| post.is_taken() && post.response()["id"] == id);
        taken.next().context("not there yet")
    };
    eventually(PATIENCE, || async { found().map_err(|error| error.to_string()) }).await;
    Ok(began.elapsed())
}
