//! What a person sees of receivers and of the last hour, and test deliveries.

use std::time::Duration;

use super::world::*;
use crate::egress::NamedBy;
use crate::engine::trial::TrialError;
use crate::engine::{BreakerState, DUE_COUNTED, Engine, Known};
use crate::history::Outcome;
use crate::job::{Change, Receiver, Target};
use crate::policy::Signing;
use crate::state::{Category, End};

const DEAD: &str = "http://dead/?key=hidden";

async fn known(engine: &Engine, url: &str) -> Known {
    engine.known_receiver(Receiver::of(url)).await.unwrap()
}

fn target(url: &str) -> Target {
    Target {
        url: url.to_owned(),
        named_by: NamedBy::Session,
        secret: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_gets_nothing_comes_first_with_what_it_waits_for() {
    let world = World::new();
    world.receivers.script(DEAD, [Reply::status(500)]);
    let engine = world.start();
    engine.accept(world.job("echo")).await.unwrap();
    for _ in 0..10 {
        engine.accept(to(DEAD, world.job("echo"))).await.unwrap();
    }
    eventually(AN_HOUR, async || engine.core.receivers.open_breakers() == 1).await;
    let all = engine.known_receivers().await.unwrap();
    assert_eq!((all.receivers.len(), all.left_out), (2, 0));
    let dead = &all.receivers[0];
    assert_eq!(dead.receiver, Receiver::of(DEAD));
    assert_eq!(dead.target.as_ref().unwrap().url, DEAD);
    assert!(matches!(dead.breaker, BreakerState::Open { until } if until > world.clock.now()));
    assert_eq!(dead.waiting.unwrap().reason.as_str(), "breaker");
    assert!(dead.due > 0 && dead.in_flight == 0, "{dead:?}");
    let last = dead.last.as_ref().unwrap();
    assert_eq!(
        (last.status, last.outcome, last.delivered),
        (Some(500), Outcome::Retry, None)
    );
    let well = known(&engine, "http://r/").await;
    let last = well.last.unwrap();
    assert_eq!(
        (well.due, well.waiting, last.outcome),
        (0, None, Outcome::Delivered)
    );
    assert_eq!(last.delivered, Some(last.at));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_of_an_earlier_process_is_named_by_what_is_due_for_it() {
    let world = World::with(|policy| policy.signing = Signing::Waiting);
    for _ in 0..DUE_COUNTED + 5 {
        let (end, body) = (End::Result, "{}".into());
        let retry = Change::Retry {
            at: world.clock.now().plus(AN_HOUR),
            why: Some(Category::Http5xx),
        };
        let changes = vec![Change::Start, Change::Finish { end, body }, Change::Claim, retry];
        world.left_behind(to(DEAD, world.job("echo")), changes).await;
    }
    let engine = world.start();
    let found = eventually(AN_HOUR, async || {
        let all = engine.known_receivers().await.unwrap();
        all.receivers.into_iter().next()
    })
    .await;
    assert_eq!(found.target.unwrap().url, DEAD);
    assert_eq!((found.due, found.last), (DUE_COUNTED, None));
    assert_eq!(found.waiting.unwrap().reason.as_str(), "signing_key");
    let unknown = known(&engine, "http://elsewhere/").await;
    assert!(unknown.target.is_none() && unknown.due == 0, "{unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_hour_has_what_happened_and_how_long_it_took() {
    let world = World::new();
    world.receivers.script(
        "http://r/",
        [Reply::status(503), Reply::status(200), Reply::status(410)],
    );
    let engine = world.start();
    for _ in 0..2 {
        let job = world.job("echo");
        let id = job.id;
        engine.accept(job).await.unwrap();
        world.settled(id).await;
    }
    let minutes = engine.last_hour();
    let sum = |of: fn(&crate::engine::Minute) -> u64| minutes.iter().map(of).sum::<u64>();
    assert_eq!(sum(|minute| minute.accepted), 2);
    assert_eq!(
        (sum(|minute| minute.failed), sum(|minute| minute.delivered)),
        (2, 1)
    );
    assert_eq!(sum(|minute| minute.dead), 1);
    let took = minutes.iter().find_map(|minute| minute.median).unwrap();
    assert!(
        (Duration::from_secs(1)..Duration::from_millis(1300)).contains(&took),
        "the wait before the second attempt: {took:?}"
    );
    assert_eq!(minutes.last().unwrap().counts.unwrap().dead, 1);
}

#[tokio::test(start_paused = true)]
async fn a_test_delivery_reaches_its_receiver_and_leaves_nothing_behind() {
    let world = World::new();
    world.receivers.script("http://r/", [Reply::status(500)]);
    let engine = world.start();
    for _ in 0..10 {
        let trial = engine
            .try_receiver(target("http://r/"), "{}".into())
            .await
            .unwrap();
        assert_eq!(trial.attempt.status, Some(500));
    }
    assert_eq!(world.receivers.seen().len(), 10);
    assert_eq!((engine.core.receivers.open_breakers(), engine.pending()), (0, 0));
    assert!(engine.known_receivers().await.unwrap().receivers.is_empty());
    let refused = engine.try_receiver(target("http://r/"), "{}".into()).await;
    assert!(matches!(refused, Err(TrialError::TooMany(_))), "{refused:?}");
    tokio::time::sleep(Duration::from_mins(1)).await;
    world.change_policy(|policy| policy.signing = Signing::Waiting);
    let refused = engine.try_receiver(target("http://r/"), "{}".into()).await;
    assert!(matches!(refused, Err(TrialError::Waiting(_))), "{refused:?}");
    assert_eq!(world.receivers.seen().len(), 10);
}
