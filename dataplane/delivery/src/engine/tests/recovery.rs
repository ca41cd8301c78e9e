//! What a new process makes of what an old one left.

use std::time::Duration;

use bytes::Bytes;

use super::world::*;
use crate::job::Change;
use crate::state::{Category, End, Fault};
use crate::verdict::Verdict;

fn finished() -> Change {
    Change::Finish {
        end: End::Result,
        body: Bytes::from_static(b"kept"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_attempt_is_made_again_at_once_and_uses_no_retry() {
    let world = World::new();
    let mut job = world.job("echo");
    job.call.retry = retries(0);
    let id = world
        .left_behind(job, vec![Change::Start, finished(), Change::Claim])
        .await;
    let _engine = world.start();
    let settled = world.settled(id).await;
    assert_eq!((fate(&settled), settled.attempts), (("result", "delivered"), 1));
    let seen = world.receivers.seen();
    assert_eq!((seen[0].at, &seen[0].body[..]), (Duration::ZERO, &b"kept"[..]));
    let labels = [("outcome", "interrupted"), ("status_class", "none")];
    assert_eq!(world.count("asyncmcp_delivery_attempts_total", &labels), 1);
    assert_eq!(world.servers.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cut_call_that_must_not_run_twice_ends_as_unknown() {
    let world = World::new();
    let id = world.left_behind(world.job("echo"), vec![Change::Start]).await;
    let _engine = world.start();
    assert_eq!(fate(&world.settled(id).await), ("unknown", "delivered"));
    assert_eq!(world.receivers.seen()[0].body, "unknown");
    assert_eq!(world.servers.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cut_call_that_may_run_again_does() {
    let world = World::new();
    let id = world
        .left_behind(repeatable(world.job("takes-5")), vec![Change::Start])
        .await;
    let _engine = world.start();
    let settled = world.settled(id).await;
    assert_eq!((fate(&settled), settled.executions), (("result", "delivered"), 2));
}

#[tokio::test(start_paused = true)]
async fn the_third_interruption_is_the_last() {
    let world = World::new();
    let again = [Change::Start, Change::Release];
    let steps = again.iter().chain(&again).cloned().chain([Change::Start]);
    let id = world
        .left_behind(repeatable(world.job("echo")), steps.collect())
        .await;
    let _engine = world.start();
    assert_eq!(fate(&world.settled(id).await), ("unknown", "delivered"));
    assert_eq!(world.servers.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_the_oldest_delivery_is_known_as_soon_as_the_engine_has_started() {
    let world = World::new();
    let failed = Change::Retry {
        at: START.plus(Duration::from_hours(1)),
        why: Some(Category::Timeout),
    };
    let steps = vec![Change::Start, finished(), Change::Claim, failed];
    world.left_behind(world.job("echo"), steps).await;
    tokio::time::advance(Duration::from_secs(7)).await;
    let _engine = world.start();
    assert_eq!(world.oldest("due"), 7);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_what_is_queued_runs_or_is_sent_for_the_first_time_is_known_too() {
    let world = World::with(|policy| policy.servers = [("s".to_owned(), 2)].into());
    let slow = Reply::status(200).after(Duration::from_mins(10));
    world.receivers.script("http://r/", [slow]);
    let engine = world.start();
    for tool in ["echo", "hang", "hang", "hang"] {
        engine.accept(by(tool, world.job(tool))).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(61)).await;
    for state in ["queued", "running", "sending"] {
        let age = world.oldest(state);
        assert!((55..=61).contains(&age), "{state}: {age}");
    }
    assert_eq!(world.oldest("due"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_queued_call_is_executed() {
    let world = World::new();
    let id = world.left_behind(world.job("echo"), Vec::new()).await;
    let _engine = world.start();
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_was_due_later_is_made_then() {
    let world = World::new();
    let retry = Change::Retry {
        at: START.plus(Duration::from_secs(70)),
        why: Some(Category::Http5xx),
    };
    let steps = vec![Change::Start, finished(), Change::Claim, retry];
    let id = world.left_behind(world.job("echo"), steps).await;
    let _engine = world.start();
    world.settled(id).await;
    let seen = world.receivers.seen();
    assert_eq!((seen.len(), seen[0].at.as_secs(), seen[0].attempt), (1, 70, 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_expires_before_an_attempt_since_the_start() {
    let world = World::with(|policy| policy.max_age = Duration::from_mins(1));
    let id = world
        .left_behind(world.job("echo"), vec![Change::Start, finished()])
        .await;
    tokio::time::sleep(Duration::from_hours(10)).await; // no process ran
    let _engine = world.start();
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_up_late_is_waited_for() {
    let world = World::new();
    let id = world
        .left_behind(world.job("echo"), vec![Change::Start, finished(), Change::Claim])
        .await;
    world.store.set_down(true);
    let _engine = world.start();
    tokio::time::sleep(Duration::from_mins(3)).await;
    world.store.set_down(false);
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_has_one_attempt_since_the_start() {
    let world = World::with(|policy| policy.max_age = Duration::from_mins(1));
    world.receivers.script("http://r/", [Reply::status(500)]);
    let id = world
        .left_behind(world.job("echo"), vec![Change::Start, finished()])
        .await;
    tokio::time::sleep(Duration::from_hours(10)).await; // no process ran
    let _engine = world.start();
    assert_eq!(fate(&world.settled(id).await), ("result", "expired"));
    assert_eq!(world.receivers.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_expires_because_of_our_own_faults_right_after_the_start() {
    let world = World::with(|policy| policy.max_age = Duration::from_mins(1));
    let id = world
        .left_behind(world.job("echo"), vec![Change::Start, finished()])
        .await;
    tokio::time::sleep(Duration::from_hours(10)).await; // no process ran
    let no_network_yet = Reply::none(Verdict::Requeue(Fault::Resolver));
    world
        .receivers
        .script("http://r/", [no_network_yet, no_network_yet, Reply::status(200)]);
    let _engine = world.start();
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn jobs_whose_key_is_missing_wait_for_it_and_hold_up_no_other() {
    let world = World::new();
    let job = || repeatable(world.job("echo"));
    let queued = world.left_behind(job(), vec![]).await;
    let running = world.left_behind(job(), vec![Change::Start]).await;
    let due = world.left_behind(job(), vec![Change::Start, finished()]).await;
    let sending = vec![Change::Start, finished(), Change::Claim];
    let sending = world.left_behind(job(), sending).await;
    let waiting = [queued, running, due, sending];
    for id in waiting {
        world.store.seal(id);
    }

    let engine = world.start();
    let readable = world.job("echo");
    engine.accept(readable.clone()).await.unwrap();
    assert_eq!(fate(&world.settled(readable.id).await), ("result", "delivered"));
    tokio::time::sleep(Duration::from_hours(1)).await;
    for id in waiting {
        assert!(!world.look(id).await.state.is_settled());
    }
    engine.drain(Duration::ZERO).await.unwrap();

    world.store.unseal();
    let world = world.after();
    let _engine = world.start();
    for id in waiting {
        assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    }
}
