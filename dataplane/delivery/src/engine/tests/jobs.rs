//! What a person sees of jobs, and what becomes of what they ask for.

use std::time::Duration;

use super::super::jobs::{ActError, Page, Query};
use super::world::*;
use crate::clock::Millis;
use crate::history::Outcome;
use crate::id::JobId;
use crate::job::{Change, NewJob};
use crate::state::{Category, End, Fault, Push, Stage};
use crate::store::roles::*;
use crate::store::scan::{Filter, Order};
use crate::verdict::Verdict;

const FIRST: Page = Page {
    order: Order::Newest,
    after: None,
    limit: 100,
};

fn dead() -> Query {
    Query {
        filter: Filter {
            stage: Some(Stage::Dead),
            ..Filter::default()
        },
        ..Query::default()
    }
}

/// The steps to a dead letter.
fn to_death() -> Vec<Change> {
    let end = End::Result;
    let body = bytes::Bytes::from_static(b"{}");
    let why = Category::Http5xx;
    vec![Change::Finish { end, body }, Change::Claim, Change::Bury { why }]
}

async fn dead_letters(world: &World, count: usize, url: &str) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.left_behind(to(url, world.job("echo")), to_death()).await);
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn a_history_tells_every_attempt_and_what_was_wrong() {
    let world = World::new();
    let ours = Reply::none(Verdict::Requeue(Fault::Resolver));
    let reset = Reply::none(Verdict::Retry(Category::ConnectionReset));
    let slow = Reply::status(503).after(Duration::from_secs(2));
    world
        .receivers
        .script("http://r/", [slow, ours, reset, Reply::status(200)]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.settled(id).await;

    let shown = engine.show(id).await.unwrap().unwrap();
    assert_eq!(shown.unwritten_delivery(), None);
    let told: Vec<_> = shown
        .history
        .iter()
        .map(|(number, entry)| (*number, entry.outcome, entry.category, entry.fault, entry.status))
        .collect();
    let expected = [
        (1, Outcome::Retry, Some(Category::Http5xx), None, Some(503)),
        (2, Outcome::Retry, None, Some(Fault::Resolver), None),
        (3, Outcome::Retry, Some(Category::ConnectionReset), None, None),
        (4, Outcome::Delivered, None, None, Some(200)),
    ];
    assert_eq!(told, expected);
    let first = &shown.history[0].1;
    assert_eq!(first.started, START);
    assert_eq!(first.duration, Some(Duration::from_secs(2)));
    assert_eq!(first.next, Some(START.plus(Duration::from_secs(3))));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_its_first_attempt_brought_writes_no_history() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.settled(id).await;
    let shown = engine.show(id).await.unwrap().unwrap();
    assert_eq!((shown.history.len(), shown.unwritten_delivery()), (0, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_cut_is_in_the_history() {
    let world = World::new();
    let mut steps = to_death();
    steps.pop();
    let id = world.left_behind(world.job("echo"), steps).await;
    let engine = world.start();
    world.settled(id).await;
    let shown = engine.show(id).await.unwrap().unwrap();
    let entry = &shown.history[0].1;
    assert_eq!((entry.outcome, entry.duration), (Outcome::Interrupted, None));
    assert_eq!(shown.unwritten_delivery(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_replay_has_all_retries_and_a_new_age_and_keeps_the_history() {
    let world = World::with(|policy| policy.max_age = Duration::from_mins(1));
    world.receivers.script("http://r/", [Reply::status(500)]);
    let engine = world.start();
    let job = world.job("echo");
    let id = job.id;
    engine.accept(job).await.unwrap();
    let before = world.settled(id).await;
    assert_eq!(before.attempts, 4);
    tokio::time::sleep(Duration::from_hours(1)).await; // far beyond maxAge
    world
        .receivers
        .script("http://r/", [Reply::status(500), Reply::status(200)]);

    let replayed = engine.replay(id).await.unwrap();
    assert_eq!((replayed.replays, replayed.attempts), (1, 0));
    let after = world.settled(id).await;
    assert_eq!(fate(&after), ("result", "delivered"));
    assert_eq!(after.attempts, 2);
    let history = engine.show(id).await.unwrap().unwrap().history;
    let replays: Vec<u32> = history.iter().map(|(_, entry)| entry.replay).collect();
    assert_eq!(replays, [0, 0, 0, 0, 1, 1]);
    let seen = world.receivers.seen();
    assert_eq!(seen.iter().filter(|seen| seen.replays == 1).count(), 2);
    assert!(seen.iter().all(|one| one.body == seen[0].body));
}

#[tokio::test(start_paused = true)]
async fn only_dead_and_stopped_deliveries_are_replayed_and_only_open_ones_stopped() {
    let world = World::new();
    world.receivers.script("http://down/", [Reply::status(500)]);
    let dead = dead_letters(&world, 1, "http://up/").await[0];
    let engine = world.start();
    let (good, bad) = (world.job("echo"), to("http://down/", world.job("echo")));
    let (delivered, open) = (good.id, bad.id);
    engine.accept(good).await.unwrap();
    engine.accept(bad).await.unwrap();
    world.settled(delivered).await;
    world.once(open, |job| job.attempts > 0).await;

    let refused = engine.replay(delivered).await;
    assert!(matches!(refused, Err(ActError::Impossible(Stage::Delivered))));
    let refused = engine.stop(dead).await;
    assert!(matches!(refused, Err(ActError::Impossible(Stage::Dead))));
    let unknown = JobId::new(Millis(1), [9; 10]);
    assert!(matches!(engine.replay(unknown).await, Err(ActError::Unknown)));

    engine.stop(open).await.unwrap();
    let attempts = world.receivers.seen().len();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(world.receivers.seen().len(), attempts, "no further attempt");
    assert_eq!(fate(&world.look(open).await), ("result", "stopped"));
    world.receivers.script("http://down/", [Reply::status(200)]);
    engine.replay(open).await.unwrap();
    assert_eq!(fate(&world.settled(open).await), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_cancelled_once_and_what_ended_is_not() {
    let world = World::new();
    let engine = world.start();
    let job = world.job("hang");
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.once(id, |job| job.state.stage() == Stage::Running).await;
    let cancelled = engine.cancel_or_say(id).await.unwrap();
    assert_eq!(cancelled.state.exec, crate::state::Exec::Ended(End::Cancelled));
    world.settled(id).await;
    let again = engine.cancel_or_say(id).await;
    assert!(matches!(again, Err(ActError::Impossible(Stage::Delivered))));
}

#[tokio::test(start_paused = true)]
async fn a_bulk_replay_is_bounded_and_ends_though_everything_dies_again() {
    let world = World::new();
    world.receivers.script("http://r/", [Reply::status(410)]);
    let ids = dead_letters(&world, 25, "http://r/").await;
    let engine = world.start();
    let (mut after, mut counts) = (None, Vec::new());
    loop {
        let done = engine.replay_all(&Query::default(), after, 10).await.unwrap();
        counts.push(done.changed);
        tokio::time::sleep(Duration::from_mins(1)).await; // they die again
        assert!(counts.len() < 9, "it goes on for ever");
        after = done.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(counts, [10, 10, 5]);
    for id in ids {
        assert_eq!(world.look(id).await.replays, 1);
    }
    let page = engine.list(&dead(), FIRST).await.unwrap();
    assert_eq!(page.jobs.len(), 25, "dead once more");
}

#[tokio::test(start_paused = true)]
async fn replayed_deliveries_do_not_hold_up_live_ones() {
    let world = World::new();
    world
        .receivers
        .script("http://r/", [Reply::status(200).after(Duration::from_secs(1))]);
    dead_letters(&world, 300, "http://r/").await;
    let engine = world.start();
    engine.replay_all(&dead(), None, 500).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.receivers.peak("http://r/"), 2, "a quarter of eight");

    // Eight a second is what the receiver takes in all: six a second of live ones find their room.
    for _ in 0..20 {
        let jobs: Vec<NewJob> = (0..6).map(|_| world.job("echo")).collect();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let accepted = world.clock.now();
        for job in jobs {
            engine.accept(job).await.unwrap();
        }
        for id in ids {
            let took = world.settled(id).await.turn.since(accepted);
            assert!(took < Duration::from_millis(1500), "{took:?}");
        }
    }
    let left = world.store.counts().due;
    assert!(
        (200..280).contains(&left),
        "they went on meanwhile: {left} are left"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_asked_by_tool_and_by_host() {
    let world = World::new();
    let one = dead_letters(&world, 3, "https://One.example:8443/hook?key=x").await;
    dead_letters(&world, 3, "https://two.example/hook").await;
    let engine = world.start();
    let host = Some("one.EXAMPLE".to_owned());
    let query = Query { host, ..dead() };
    let page = engine.list(&query, Page { limit: 2, ..FIRST }).await.unwrap();
    assert_eq!(page.jobs.len(), 2);
    let after = page.next;
    let rest = engine.list(&query, Page { after, ..FIRST }).await.unwrap();
    assert_eq!((rest.jobs.len(), rest.next), (1, None));
    let mut found: Vec<JobId> = page
        .jobs
        .iter()
        .chain(&rest.jobs)
        .map(|listed| listed.job.id)
        .collect();
    found.reverse();
    assert_eq!(found, one);
    let tool = Some("other".to_owned());
    let none = engine.list(&Query { tool, ..dead() }, FIRST).await.unwrap();
    assert!(none.jobs.is_empty() && none.next.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_over_can_be_deleted_and_nothing_else() {
    let world = World::new();
    world.receivers.script("http://r/", [Reply::status(503)]);
    let dead = dead_letters(&world, 25, "http://dead/").await;
    let engine = world.start();
    let job = to("http://r/", world.job("echo"));
    let waits = job.id;
    engine.accept(job).await.unwrap();
    world.once(waits, |job| job.state.push == Push::Due).await;

    let refused = engine.delete(waits).await;
    assert!(
        matches!(refused, Err(ActError::Impossible(Stage::Due))),
        "{refused:?}"
    );
    assert_eq!(engine.delete(dead[0]).await.unwrap().id, dead[0]);
    let again = engine.delete(dead[0]).await;
    assert!(matches!(again, Err(ActError::Unknown)), "{again:?}");

    let (mut deleted, mut after) = (0, None);
    loop {
        let done = engine.delete_all(&Query::default(), after, 10).await.unwrap();
        (deleted, after) = (deleted + done.changed, done.next);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(deleted, 24);
    assert_eq!(engine.list(&self::dead(), FIRST).await.unwrap().jobs, []);
    assert_eq!(world.store.counts().pending(), 1);
    engine.stop(waits).await.unwrap();
    engine.delete(waits).await.unwrap();
    assert_eq!(world.store.job(waits).await.unwrap(), None);
}
