//! How an engine stops, and that the next one continues from there.

use std::time::Duration;

use super::world::*;
use crate::engine::{AcceptError, Grace};
use crate::store::roles::*;

const GRACE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn nothing_is_accepted_or_begun_once_it_drains() {
    let world = World::with(|policy| policy.max_running = 0);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    engine.drain(GRACE).await.unwrap();
    let refused = engine.accept(world.job("echo")).await;
    assert!(matches!(refused, Err(AcceptError::Closed)), "{refused:?}");
    world.change_policy(|policy| policy.max_running = 1);
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(fate(&world.look(id).await), ("queued", "none"));
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_call_that_ends_in_time_is_delivered() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("takes-10");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() == 1).await;
    let begun = world.clock.now();
    engine.drain(GRACE).await.unwrap();
    assert_eq!(fate(&world.look(id).await), ("result", "delivered"));
    assert!(
        world.clock.now().since(begun) < GRACE,
        "nothing else is waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_due_later_is_left_to_the_next_process() {
    let world = World::new();
    world
        .receivers
        .script("http://r/", [Reply::status(503), Reply::status(200)]);
    let engine = world.start();
    let job = world.job("takes-10");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() == 1).await;
    engine.drain(GRACE).await.unwrap();
    assert_eq!(world.receivers.seen().len(), 1);
    assert_eq!(fate(&world.look(id).await), ("result", "due"));
    let next = world.after();
    let _engine = next.start();
    assert_eq!(fate(&next.settled(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn deliveries_may_take_longer_than_calls() {
    let world = World::new();
    let slow = Reply::status(200).after(Duration::from_secs(40));
    world.receivers.script("http://r/", [slow, Reply::status(200)]);
    let engine = world.start();
    let (delivered, hangs) = (world.job("echo"), by("other", world.job("hang")));
    let ids = (delivered.id, hangs.id);
    engine.accept(delivered).await.unwrap();
    engine.accept(hangs).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() == 2).await;
    let begun = world.clock.now();
    let grace = Grace {
        calls: GRACE,
        deliveries: Duration::from_secs(50),
    };
    engine.drain(grace).await.unwrap();
    let took = world.clock.now().since(begun);
    assert!(took >= GRACE && took < grace.deliveries, "{took:?}");
    assert_eq!(fate(&world.look(ids.0).await), ("result", "delivered"));
    assert_eq!(fate(&world.look(ids.1).await).0, "unknown");
}

#[tokio::test(start_paused = true)]
async fn what_still_runs_after_the_grace_is_interrupted() {
    let world = World::new();
    let engine = world.start();
    let (once, again) = (world.job("hang"), by("other", repeatable(world.job("hang"))));
    let (once_id, again_id) = (once.id, again.id);
    engine.accept(once).await.unwrap();
    engine.accept(again).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() == 2).await;
    let begun = world.clock.now();
    engine.drain(GRACE).await.unwrap();
    let took = world.clock.now().since(begun);
    assert!(took >= GRACE && took < GRACE + Duration::from_secs(5), "{took:?}");
    assert_eq!(fate(&world.look(once_id).await), ("unknown", "due"));
    assert_eq!(fate(&world.look(again_id).await), ("queued", "none"));
    assert_eq!(world.servers.aborted.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_sent_goes_back_to_the_queue_at_once() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("down-100000");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() >= 1).await;
    let begun = world.clock.now();
    engine.drain(GRACE).await.unwrap();
    assert_eq!(fate(&world.look(id).await), ("queued", "none"));
    assert!(world.clock.now().since(begun) < Duration::from_secs(2));
}

/// As rolls and node drains within a long call. A call is assumed to be the cause only of what was not ordered.
#[tokio::test(start_paused = true)]
async fn graceful_shutdowns_do_not_poison_a_call_that_may_run_again() {
    for tool in ["hang", "down-100000"] {
        let mut world = World::new();
        let job = repeatable(world.job(tool));
        let id = job.id;
        let mut engine = world.start();
        engine.accept(job).await.unwrap();
        for count in 1..5 {
            eventually(AN_HOUR, async || world.servers.count() >= count).await;
            engine.drain(GRACE).await.unwrap();
            let job = world.look(id).await;
            assert_eq!((fate(&job), job.executions), (("queued", "none"), 0), "{tool}");
            world = world.after();
            engine = world.start();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_may_end_within_the_grace() {
    let world = World::new();
    world
        .receivers
        .script("http://r/", [Reply::status(200).after(Duration::from_secs(10))]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.receivers.seen().len() == 1).await;
    engine.drain(GRACE).await.unwrap();
    assert_eq!(fate(&world.look(id).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cut_is_due_at_once_and_uses_no_retry() {
    let world = World::new();
    world
        .receivers
        .script("http://r/", [Reply::status(200).after(Duration::from_hours(1))]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.receivers.seen().len() == 1).await;
    engine.drain(GRACE).await.unwrap();
    let cut = world.look(id).await;
    assert_eq!((fate(&cut), cut.attempts), (("result", "due"), 0));
    assert!(cut.turn <= world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn draining_ends_although_the_store_is_down() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("takes-10");
    let id = job.id;
    engine.accept(job).await.unwrap();
    eventually(AN_HOUR, async || world.servers.count() == 1).await;
    world.store.set_down(true);
    let begun = world.clock.now();
    engine.drain(GRACE).await.unwrap();
    assert!(world.clock.now().since(begun) < GRACE + Duration::from_secs(10));
    world.store.set_down(false);
    assert_eq!(
        fate(&world.look(id).await),
        ("running", "none"),
        "the next process finds it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_deleted_finishes_its_deliveries_and_accepts_no_more() {
    let world = World::new();
    world.receivers.script(
        "http://r/",
        [Reply::status(500), Reply::status(500), Reply::status(200)],
    );
    let engine = world.start();
    let job = world.job("takes-10");
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(engine.pending(), 1);
    engine.finish_deliveries().await;
    assert_eq!(fate(&world.look(id).await), ("result", "delivered"));
    assert_eq!((engine.pending(), world.store.counts().pending()), (0, 0));
    let refused = engine.accept(world.job("echo")).await;
    assert!(matches!(refused, Err(AcceptError::Closed)), "{refused:?}");
}
