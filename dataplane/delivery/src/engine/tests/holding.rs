//! Callers that leave, tasks that die or are late: no job is left without a holder, and no step is made by one that
//! holds it no more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::poll;
use tokio::time::{Instant, timeout};

use super::super::*;
use super::receivers::Seen;
use super::world::*;
use crate::history::Outcome;
use crate::id::JobId;
use crate::job::{Change, NewJob};
use crate::sender::{Attempt, Post, Sender};
use crate::state::{Category, End};
use crate::store::roles::*;

/// What was left behind must continue within this time, without a restart.
const SOON: Duration = Duration::from_mins(1);

fn finished() -> Change {
    Change::Finish {
        end: End::Result,
        body: bytes::Bytes::from_static(b"{}"),
    }
}

async fn accepted(engine: &Engine, job: NewJob) -> JobId {
    let id = job.id;
    engine.accept(job).await.unwrap();
    id
}

fn deliveries(world: &World) -> Vec<Seen> {
    world.receivers.seen()
}

/// Asks, and leaves before there is an answer.
async fn and_leave<T>(asked: impl Future<Output = T>) {
    tokio::pin!(asked);
    assert!(poll!(&mut asked).is_pending(), "it was answered at once");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_its_cancellation_gets_it_by_webhook() {
    let world = World::new();
    let engine = world.start();
    let id = accepted(&engine, world.job("hang")).await;
    world.once(id, |job| job.started.is_some()).await;
    and_leave(engine.cancel(id)).await;
    let job = timeout(SOON, world.settled(id)).await.unwrap();
    assert_eq!(fate(&job), ("cancelled", "delivered"));
    let told = || world.servers.aborted.lock().unwrap().contains(&id);
    eventually(AN_HOUR, async || told()).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_during_its_acceptance_has_its_call_run_at_once() {
    let world = World::new();
    let engine = world.start();
    tokio::task::yield_now().await;
    let job = world.job("echo");
    let (id, began) = (job.id, Instant::now());
    and_leave(engine.accept(job)).await;
    eventually(AN_HOUR, async || world.store.job(id).await.unwrap()).await;
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    assert!(began.elapsed() < Duration::from_secs(1), "a wake-up was missing");
}

#[tokio::test(start_paused = true)]
async fn an_administrator_that_leaves_during_a_bulk_replay_has_all_of_it() {
    let world = World::new();
    let why = Category::Http5xx;
    let mut ids = Vec::new();
    for _ in 0..20 {
        let dead = vec![finished(), Change::Claim, Change::Bury { why }];
        ids.push(world.left_behind(world.job("echo"), dead).await);
    }
    let engine = world.start();
    let page = jobs::Query::default();
    and_leave(engine.replay_all(&page, None, 100)).await;
    for id in ids {
        let replayed = world.once(id, |job| job.replays == 1 && job.state.is_settled());
        let job = timeout(SOON, replayed).await.unwrap();
        assert_eq!(fate(&job), ("result", "delivered"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_stopped_changes_nothing_of_the_one_that_a_replay_began() {
    let world = World::new();
    let late = Reply::status(503).after(Duration::from_secs(8));
    let good = Reply::status(200).after(Duration::from_secs(12));
    world.receivers.script("http://r/", [late, good]);
    let engine = world.start();
    let mut job = world.job("echo");
    job.call.retry = retries(0);
    let id = accepted(&engine, job).await;
    world.once(id, |job| job.attempts == 1).await;
    engine.stop(id).await.unwrap();
    engine.replay(id).await.unwrap();
    let job = world.settled(id).await;
    assert_eq!(fate(&job), ("result", "delivered"));
    assert_eq!(deliveries(&world).len(), 2);
    let dead = world.count("asyncmcp_dead_letters_total", &[("reason", "http_5xx")]);
    assert_eq!(dead, 0, "no dead letter, and none is counted");
    let history = world.store.history(id).await.unwrap();
    let outcomes: Vec<Outcome> = history.iter().map(|(_, entry)| entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Interrupted, Outcome::Delivered]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_is_at_work_on_goes_on_without_a_restart() {
    let world = World::new();
    let engine = world.start();
    tokio::task::yield_now().await;
    let sent = world
        .left_behind(world.job("echo"), vec![finished(), Change::Claim])
        .await;
    let ran = world
        .left_behind(repeatable(on("t", world.job("echo"))), vec![Change::Start])
        .await;
    for id in [sent, ran] {
        let job = timeout(SOON, world.settled(id)).await.unwrap();
        assert_eq!(fate(&job), ("result", "delivered"));
    }
    for state in ["sending", "running"] {
        let reconciled = world.count("asyncmcp_reconciled_jobs_total", &[("state", state)]);
        assert_eq!(reconciled, 1, "{state}");
    }
    drop(engine);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_due_is_found_although_nobody_was_told() {
    let world = World::new();
    let engine = world.start();
    tokio::task::yield_now().await;
    let due = world.left_behind(world.job("echo"), vec![finished()]).await;
    let job = timeout(SOON, world.settled(due)).await.unwrap();
    assert_eq!((fate(&job), job.attempts), (("result", "delivered"), 1));
    drop(engine);
}

/// Panics at its first attempt.
struct Panicky {
    receivers: Arc<Receivers>,
    panicked: AtomicBool,
}

#[async_trait]
impl Sender for Panicky {
    async fn send(&self, post: Post<'_>) -> Attempt {
        assert!(self.panicked.swap(true, Ordering::Relaxed), "the test says so");
        self.receivers.send(post).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_is_interrupted_and_made_again() {
    let world = World::new();
    let receivers = Arc::clone(&world.receivers);
    let panicked = AtomicBool::new(false);
    let engine = world.start_with(Arc::new(Panicky { receivers, panicked }));
    let id = accepted(&engine, world.job("echo")).await;
    let job = timeout(SOON, world.settled(id)).await.unwrap();
    assert_eq!((fate(&job), job.attempts), (("result", "delivered"), 1));
    assert!(!engine.failed().is_cancelled(), "one job's panic is its own");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_replaced_changes_nothing_and_ends() {
    let mut world = World::new();
    let slow = Reply::status(503).after(Duration::from_secs(20));
    world.receivers.script("http://r/", [slow, Reply::status(200)]);
    let replaced = world.start();
    let id = accepted(&replaced, world.job("echo")).await;
    world.once(id, |job| job.attempts == 1).await;
    world = world.after();
    let next = world.start();
    let job = world.settled(id).await;
    assert_eq!((fate(&job), job.attempts), (("result", "delivered"), 1));
    timeout(SOON, replaced.failed().cancelled()).await.unwrap();
    assert_eq!(world.look(id).await, job);
    assert!(!next.failed().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_an_ending_hears_of_it_and_of_one_that_was() {
    let world = World::new();
    let engine = world.start();
    let id = accepted(&engine, world.job("takes-5")).await;
    let ended = engine.ended(id).await.unwrap().unwrap();
    assert_eq!(fate(&ended).0, "result");
    assert!(engine.ended(id).await.unwrap().is_some());
    assert!(engine.ended(world.job("never").id).await.unwrap().is_none());
}
