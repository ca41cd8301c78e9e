//! Rates and breakers: who waits, what waiting costs, and how a receiver comes back.

use std::time::Duration;

use super::world::*;
use crate::engine::Engine;
use crate::id::JobId;
use crate::job::Change;
use crate::state::{Category, End};

const DEAD: &str = "http://dead/";
const PARKED: usize = 20_000;

/// Leaves due jobs for `url` behind, as an earlier process might have.
async fn park(world: &World, url: &str, count: usize) -> Vec<JobId> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let mut job = to(url, world.job("echo"));
        job.call.retry = retries(50);
        let finish = Change::Finish {
            end: End::Result,
            body: "parked".into(),
        };
        ids.push(world.left_behind(job, vec![Change::Start, finish]).await);
    }
    ids
}

/// The same with one job whose next attempt is due only after `wait`.
async fn put_off(world: &World, url: &str, wait: Duration) -> JobId {
    let mut job = to(url, world.job("echo"));
    job.call.retry = retries(50);
    let (end, body) = (End::Result, "parked".into());
    let retry = Change::Retry {
        at: world.clock.now().plus(wait),
        why: Some(Category::Http5xx),
    };
    let changes = vec![Change::Start, Change::Finish { end, body }, Change::Claim, retry];
    world.left_behind(job, changes).await
}

/// Lets a receiver fail until its breaker opens.
async fn break_it(world: &World, engine: &Engine) {
    world.receivers.script(DEAD, [Reply::status(500)]);
    park(world, DEAD, 10).await;
    eventually(AN_HOUR, async || engine.core.receivers.open_breakers() == 1).await;
}

/// How many attempts `url` saw from `since` on, by the time at which they began.
fn waves(world: &World, url: &str, since: Duration) -> Vec<usize> {
    let seen = world.receivers.seen();
    let seen: Vec<_> = seen
        .iter()
        .filter(|seen| seen.url == url && seen.at >= since)
        .collect();
    seen.chunk_by(|one, two| one.at == two.at)
        .map(<[_]>::len)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_with_many_parked_jobs_disturbs_nobody_and_is_not_stampeded() {
    let world = World::new();
    world.receivers.script(DEAD, [Reply::status(500)]);
    let parked = park(&world, DEAD, PARKED).await;
    let engine = world.start();
    eventually(AN_HOUR, async || engine.core.receivers.open_breakers() == 1).await;
    let before = world.store.applied();

    for _ in 0..60 {
        let job = to("http://alive/", world.job("echo"));
        let id = job.id;
        engine.accept(job).await.unwrap();
        let settled = world.settled(id).await;
        assert_eq!(settled.turn, settled.accepted, "delivered at once");
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    // Each of the 60 starts, ends and is delivered; what is left are trials of the dead one.
    let applied = world.store.applied() - before - 60 * 3;
    assert!(
        applied <= 40,
        "{applied} changes of {PARKED} parked jobs in an hour"
    );
    assert_eq!(engine.core.receivers.entries(), 1, "one entry for all of them");

    let since = world.clock.now().since(START);
    let well = Reply::status(200).after(Duration::from_millis(10));
    world.receivers.script(DEAD, [well]);
    for id in parked {
        assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    }
    assert_eq!(waves(&world, DEAD, since)[..5], [1, 2, 4, 8, 8]);
    assert_eq!(engine.core.receivers.open_breakers(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_breaker_is_no_attempt() {
    let world = World::new();
    let engine = world.start();
    break_it(&world, &engine).await;
    let job = to(DEAD, world.job("echo"));
    let id = job.id;
    engine.accept(job).await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let waiting = world.look(id).await;
    assert_eq!((fate(&waiting), waiting.attempts), (("result", "due"), 0));
    world.receivers.script(DEAD, [Reply::status(200)]);
    let settled = world.settled(id).await;
    assert_eq!((fate(&settled), settled.attempts), (("result", "delivered"), 1));
    assert!(settled.turn.since(START) >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn the_gauge_counts_open_breakers() {
    let world = World::new();
    let engine = world.start();
    assert_eq!(world.gauge("asyncmcp_breaker_open"), 0);
    break_it(&world, &engine).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.gauge("asyncmcp_breaker_open"), 1);
    world.receivers.script(DEAD, [Reply::status(200)]);
    park(&world, DEAD, 10).await;
    tokio::time::sleep(Duration::from_mins(20)).await;
    assert_eq!(world.gauge("asyncmcp_breaker_open"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_route_may_do_without_breakers() {
    let world = World::with(|policy| policy.per_receiver.breaker = false);
    let engine = world.start();
    world.receivers.script(DEAD, [Reply::status(500)]);
    let ids = park(&world, DEAD, 40).await;
    for id in &ids {
        engine.core.receivers.schedule(
            to(DEAD, world.job("")).call.target.unwrap().receiver(),
            crate::job::Rank::Live,
            world.clock.now(),
            None,
        );
        world.once(*id, |job| job.attempts >= 2).await;
    }
    assert_eq!(engine.core.receivers.open_breakers(), 0);
}

#[tokio::test(start_paused = true)]
async fn attempts_keep_to_the_receivers_rate() {
    let world = World::with(|policy| policy.per_receiver.rate = Some(2));
    let engine = world.start();
    let mut ids = Vec::new();
    for _ in 0..6 {
        let job = world.job("echo");
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    let elsewhere = to("http://other/", world.job("echo"));
    let other = elsewhere.id;
    engine.accept(elsewhere).await.unwrap();
    for id in ids {
        assert_eq!(world.settled(id).await.attempts, 1, "waiting is no attempt");
    }
    let seen = world.receivers.seen();
    let at = |url: &str| -> Vec<_> {
        let seen = seen.iter().filter(|seen| seen.url == url);
        seen.map(|seen| seen.at.as_millis()).collect()
    };
    assert_eq!(at("http://r/"), [0, 500, 1000, 1500, 2000, 2500]);
    assert_eq!(at("http://other/"), [0]);
    assert_eq!(world.look(other).await.attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn what_grows_too_old_behind_a_breaker_ends_as_expired() {
    let world = World::with(|policy| policy.max_age = Duration::from_hours(1));
    let engine = world.start();
    break_it(&world, &engine).await;
    let mut old = park(&world, DEAD, 600).await;
    old.push(put_off(&world, DEAD, Duration::from_mins(55)).await);
    tokio::time::sleep(Duration::from_mins(50)).await;
    let young = park(&world, DEAD, 300).await[0]; // whose turn is before the last old one's
    assert_eq!(fate(&world.look(old[599]).await), ("result", "due"));
    tokio::time::sleep(Duration::from_mins(15)).await;
    for id in &old {
        assert_eq!(fate(&world.look(*id).await), ("result", "expired"));
    }
    assert_eq!(world.look(old[599]).await.attempts, 0, "it only waited");
    assert_eq!(world.look(old[600]).await.attempts, 1);
    assert_eq!(fate(&world.look(young).await), ("result", "due"));
    let expired = world.count("asyncmcp_dead_letters_total", &[("reason", "expired")]);
    assert!(expired >= 590, "{expired}");
}
