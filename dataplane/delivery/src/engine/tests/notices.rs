//! The events of dead letters: one per death, delivered as results are, and never about themselves.

use std::time::Duration;

use serde_json::Value;

use super::receivers::Seen;
use super::world::*;
use crate::id::JobId;
use crate::job::{Notice, NoticeTo};
use crate::policy::Notify;
use crate::store::roles::*;

const OPS: &str = "http://ops/";

/// A world whose route wants events at `url`.
fn world_with(url: &str) -> World {
    let notify = Notify {
        to: NoticeTo {
            url: url.to_owned(),
            retry: retries(3),
        },
        headers: Some(http::HeaderMap::new()),
    };
    World::with(|policy| policy.notify = Some(notify))
}

/// Events that were delivered to `url`, or tried there.
fn events(world: &World, url: &str) -> Vec<(Seen, Value)> {
    let seen = world.receivers.seen().into_iter();
    seen.filter(|seen| seen.url == url)
        .filter_map(|seen| {
            let event: Value = serde_json::from_slice(&seen.body).ok()?;
            (event["type"] == "dev.asyncmcp.job.dead.v1").then_some((seen, event))
        })
        .collect()
}

/// A job to `http://r/` that becomes a dead letter.
async fn dies(world: &World, engine: &crate::engine::Engine) -> JobId {
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("result", "http_4xx"));
    id
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_announced_once_and_the_event_is_forgotten() {
    let world = world_with(OPS);
    world.receivers.script("http://r/", [Reply::status(410)]);
    let engine = world.start();
    let id = dies(&world, &engine).await;

    let (seen, event) = eventually(AN_HOUR, async || events(&world, OPS).pop()).await;
    assert_eq!(event["data"]["webhookId"], id.webhook_id());
    assert_eq!(event["data"]["reason"], "http_4xx");
    assert_eq!(event["data"]["attempts"], 1);
    assert_ne!(seen.job, id);
    eventually(AN_HOUR, async || {
        world.store.job(seen.job).await.unwrap().is_none()
    })
    .await;
    tokio::time::sleep(AN_HOUR).await;
    assert_eq!(events(&world, OPS).len(), 1);
    assert!(world.look(id).await.state.is_settled(), "the dead letter is kept");
}

#[tokio::test(start_paused = true)]
async fn an_event_is_retried_and_one_that_dies_has_no_event() {
    let world = world_with(OPS);
    world.receivers.script("http://r/", [Reply::status(410)]);
    world.receivers.script(OPS, [Reply::status(500)]);
    let engine = world.start();
    dies(&world, &engine).await;

    let (seen, _) = eventually(AN_HOUR, async || events(&world, OPS).pop()).await;
    assert_eq!(fate(&world.settled(seen.job).await), ("result", "http_5xx"));
    tokio::time::sleep(AN_HOUR).await;
    let tried = events(&world, OPS);
    assert_eq!(tried.len(), 4, "the first attempt and three retries");
    assert!(tried.iter().all(|(other, _)| other.job == seen.job));
    assert_eq!(world.store.counts().dead, 2);
}

#[tokio::test(start_paused = true)]
async fn the_dead_receiver_may_be_the_one_that_gets_the_event() {
    let world = world_with("http://r/");
    let replies = [Reply::status(410), Reply::status(503), Reply::status(200)];
    world.receivers.script("http://r/", replies);
    let engine = world.start();
    let id = dies(&world, &engine).await;
    eventually(AN_HOUR, async || events(&world, "http://r/").len() == 2).await;
    eventually(AN_HOUR, async || world.store.counts().pending() == 0).await;
    assert_eq!(fate(&world.look(id).await), ("result", "http_4xx"));
}

#[tokio::test(start_paused = true)]
async fn a_second_death_has_an_event_of_its_own() {
    let world = world_with(OPS);
    world.receivers.script("http://r/", [Reply::status(410)]);
    let engine = world.start();
    let id = dies(&world, &engine).await;
    eventually(AN_HOUR, async || events(&world, OPS).len() == 1).await;
    engine.replay(id).await.unwrap();
    eventually(AN_HOUR, async || events(&world, OPS).len() == 2).await;
    let events = events(&world, OPS);
    assert_ne!(events[0].0.job, events[1].0.job);
    let replays: Vec<&Value> = events
        .iter()
        .map(|(_, event)| &event["data"]["replays"])
        .collect();
    assert_eq!(replays, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_expires_is_announced_however_it_ends() {
    let world = world_with(OPS);
    world.change_policy(|policy| policy.max_age = Duration::from_mins(2));
    world.receivers.script("http://r/", [Reply::status(500)]);
    let engine = world.start();
    let mut ids = Vec::new();
    for _ in 0..20 {
        let mut job = world.job("echo");
        job.call.retry = retries(50);
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    for id in &ids {
        assert_eq!(fate(&world.settled(*id).await), ("result", "expired"));
    }
    eventually(AN_HOUR, async || events(&world, OPS).len() == ids.len()).await;
    let events = events(&world, OPS);
    let mut announced: Vec<&str> = events
        .iter()
        .filter_map(|(_, event)| event["data"]["webhookId"].as_str())
        .collect();
    announced.sort_unstable();
    announced.dedup();
    assert_eq!(announced.len(), ids.len());
    assert!(
        events
            .iter()
            .all(|(_, event)| event["data"]["reason"] == "expired")
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_is_notified_where_the_route_does_not_ask_for_it() {
    let world = World::new();
    world.receivers.script("http://r/", [Reply::status(410)]);
    let engine = world.start();
    dies(&world, &engine).await;
    tokio::time::sleep(AN_HOUR).await;
    assert_eq!(
        world.store.client_use(Notice::account()).await.unwrap().pending,
        0
    );
    assert_eq!(world.receivers.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_a_header_that_cannot_be_read_and_results_do_not() {
    let world = world_with(OPS);
    world.change_policy(|policy| policy.notify.as_mut().unwrap().headers = None);
    world.receivers.script("http://r/", [Reply::status(410)]);
    let engine = world.start();
    dies(&world, &engine).await;
    let job = to("http://alive/", world.job("echo"));
    let id = job.id;
    engine.accept(job).await.unwrap();
    assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    assert!(events(&world, OPS).is_empty());
    let headers = Some(http::HeaderMap::new());
    world.change_policy(|policy| policy.notify.as_mut().unwrap().headers = headers);
    eventually(AN_HOUR, async || events(&world, OPS).len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_dead_letters_does_not_hold_up_results() {
    let world = world_with(OPS);
    world.receivers.script("http://r/", [Reply::status(410)]);
    let slow = Reply::status(200).after(Duration::from_secs(10));
    world.receivers.script(OPS, [slow]);
    let engine = world.start();
    for _ in 0..3_000 {
        engine.accept(world.job("echo")).await.unwrap();
    }
    eventually(AN_HOUR, async || world.store.counts().dead >= 3_000).await;
    let used = world.store.client_use(Notice::account()).await.unwrap();
    assert!(used.bytes <= 1 << 20 && used.pending > 1_000, "{used:?}");
    let job = to("http://alive/", by("other", world.job("echo")));
    let id = job.id;
    engine.accept(job).await.unwrap();
    let delivered = world.settled(id).await;
    assert!(delivered.turn.since(delivered.accepted) < Duration::from_secs(1));
}
