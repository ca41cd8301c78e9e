//! Executions that leave a resume token: when it is committed, and what becomes of them after the process.

use std::time::Duration;

use bytes::Bytes;

use super::world::*;
use crate::engine::Engine;
use crate::id::JobId;
use crate::job::{Change, NewJob};
use crate::store::roles::*;

const GRACE: Duration = Duration::from_secs(30);

fn token() -> Change {
    Change::ResumeToken {
        token: Bytes::from_static(b"left"),
    }
}

async fn accepted(engine: &Engine, job: NewJob) -> JobId {
    let id = job.id;
    engine.accept(job).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_quick_call_commits_no_token() {
    let world = World::new();
    let engine = world.start();
    let id = accepted(&engine, world.job("stream-0")).await;
    world.settled(id).await;
    assert_eq!(world.store.applied(), 3, "started, finished, delivered");
}

#[tokio::test(start_paused = true)]
async fn an_event_is_committed_after_a_second_and_a_task_at_once() {
    let world = World::new();
    let engine = world.start();
    let task = accepted(&engine, world.job("task-60")).await;
    let stream = accepted(&engine, by("other", world.job("stream-60"))).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(world.store.resume_token(task).await.unwrap().unwrap(), "task");
    assert_eq!(world.store.resume_token(stream).await.unwrap(), None);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.store.resume_token(stream).await.unwrap().unwrap(), "event");
    for id in [task, stream] {
        assert!(!world.settled(id).await.has_resume_token);
        assert_eq!(world.store.resume_token(id).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_left_a_token_is_resumed_and_not_sent_again() {
    let world = World::new();
    let id = world
        .left_behind(world.job("task-5"), vec![Change::Start, token()])
        .await;
    let _engine = world.start();
    let settled = world.settled(id).await;
    assert_eq!((fate(&settled), settled.executions), (("result", "delivered"), 2));
    assert_eq!(*world.servers.resumed.lock().unwrap(), ["left"]);
    assert_eq!(world.servers.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_goes_by_on_interruption() {
    let world = World::new();
    let steps = || vec![Change::Start, token()];
    let once = world.left_behind(world.job("forgets-5"), steps()).await;
    let again = repeatable(by("other", world.job("forgets-5")));
    let again = world.left_behind(again, steps()).await;
    let _engine = world.start();
    assert_eq!(fate(&world.settled(once).await), ("unknown", "delivered"));
    let settled = world.settled(again).await;
    assert_eq!((fate(&settled), settled.executions), (("result", "delivered"), 3));
    assert_eq!(world.servers.resumed.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_resumed_twice_is_poisoned_and_says_so() {
    let world = World::new();
    let steps = vec![Change::Start, token(), Change::Resume, Change::Resume];
    let id = world.left_behind(world.job("task-5"), steps).await;
    let _engine = world.start();
    let settled = world.settled(id).await;
    assert_eq!(
        (fate(&settled), settled.poisoned),
        (("unknown", "delivered"), true)
    );
    assert_eq!(world.receivers.seen()[0].body, "poisoned");
    assert_eq!(world.servers.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_nobody_was_there_counts_but_an_end_is_still_looked_for() {
    let world = World::new();
    let mut jobs = [world.job("task-5"), by("other", world.job("task-60"))];
    for job in &mut jobs {
        job.call.timeout = Duration::from_mins(1);
    }
    let [ended, runs_on] = jobs;
    let ended = world.left_behind(ended, vec![Change::Start, token()]).await;
    let runs_on = world.left_behind(runs_on, vec![Change::Start, token()]).await;
    tokio::time::sleep(Duration::from_hours(1)).await; // no process ran
    let _engine = world.start();
    assert_eq!(fate(&world.settled(ended).await), ("result", "delivered"));
    assert_eq!(fate(&world.settled(runs_on).await), ("timeout", "delivered"));
    assert_eq!(*world.servers.aborted.lock().unwrap(), [runs_on]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_told_to_end_leaves_its_executions_to_the_next_at_no_cost() {
    let mut world = World::new();
    let mut id = None;
    for _ in 0..5 {
        let engine = world.start();
        let job = world.job("task-600");
        let left = *id.get_or_insert(job.id);
        if left == job.id {
            engine.accept(job).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        engine.drain(GRACE).await.unwrap();
        let job = world.look(left).await;
        assert_eq!((fate(&job), job.executions), (("running", "none"), 0));
        world = world.after();
    }
    assert!(
        world.servers.aborted.lock().unwrap().is_empty(),
        "no server was told"
    );
    let _engine = world.start();
    assert_eq!(fate(&world.settled(id.unwrap()).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn what_was_resumed_can_be_cancelled() {
    let world = World::new();
    let id = world
        .left_behind(world.job("task-600"), vec![Change::Start, token()])
        .await;
    let engine = world.start();
    eventually(AN_HOUR, async || world.servers.count() == 1).await;
    assert!(engine.cancel(id).await.unwrap());
    assert_eq!(fate(&world.settled(id).await), ("cancelled", "delivered"));
    assert_eq!(*world.servers.aborted.lock().unwrap(), [id]);
}
