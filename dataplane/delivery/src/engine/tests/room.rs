//! A store without room: nothing begins, what began ends and is delivered, and delivered results make room.

use std::sync::Arc;
use std::time::Duration;

use super::super::jobs::ActError;
use super::flaky::Flaky;
use super::world::{AN_HOUR, Reply, World, by, eventually, fate, to};
use crate::job::Change;
use crate::state::{Category, End, Push};
use crate::store::Acceptance;
use crate::store::roles::*;

const KIB: u64 = 1 << 10;

fn small(budget: u64) -> World {
    let mut world = World::new();
    world.store = Arc::new(Flaky::bounded(budget));
    world
}

fn result(size: usize) -> Change {
    Change::Finish {
        end: End::Result,
        body: vec![b'1'; size].into(),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_while_there_is_no_room_and_deliveries_make_some() {
    let world = small(1000 * KIB);
    let waiting = world.left_behind(world.job("echo"), vec![]).await;
    let parked = world.job("echo");
    let parked = world
        .left_behind(to("http://slow/", parked), vec![Change::Start, result(900_000)])
        .await;
    assert_eq!(world.store.space().executions(), 0);
    world
        .receivers
        .script("http://slow/", [Reply::status(503), Reply::status(200)]);
    let engine = world.start();

    let mut fresh = world.job("echo");
    fresh.call.client = "another".to_owned();
    assert_eq!(engine.accept(fresh.clone()).await.unwrap(), Acceptance::Full);
    let delivered = world.settled(parked).await;
    assert_eq!(fate(&delivered), ("result", "delivered"));
    assert_eq!(fate(&world.settled(waiting).await), ("result", "delivered"));
    assert_eq!(
        world.store.body(parked).await.unwrap(),
        None,
        "its room was given back before its time"
    );
    let accepted = engine.accept(fresh.clone()).await.unwrap();
    assert_eq!(accepted, Acceptance::New(fresh.id));
    world.settled(fresh.id).await;
}

#[tokio::test(start_paused = true)]
async fn as_many_begin_as_there_is_room_for() {
    let world = small(1000 * KIB);
    let mut jobs = Vec::new();
    for _ in 0..40 {
        jobs.push(world.left_behind(world.job("takes-60"), vec![]).await);
    }
    let _engine = world.start();
    let begun = eventually(AN_HOUR, async || {
        Some(world.store.counts().running).filter(|running| *running > 0)
    })
    .await;
    let room = world.store.space();
    assert!(begun < 16, "{begun} of 16 that the server has room for");
    assert_eq!(room.executions(), 0, "{room:?}");
    for id in jobs {
        world.settled(id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_that_uses_the_most_pays_with_its_oldest_dead_letters() {
    let world = small(1000 * KIB);
    let bury = Change::Bury {
        why: Category::Http4xx,
    };
    let dead = |size| vec![Change::Start, result(size), Change::Claim, bury.clone()];
    let mine = by("another", world.job("echo"));
    let mine = world.left_behind(mine, dead(5_000)).await;
    let mut theirs = Vec::new();
    for size in [130_000, 130_000, 130_000, 130_000, 200_000] {
        theirs.push(world.left_behind(world.job("echo"), dead(size)).await);
    }
    let fresh = by("another", world.job("echo"));
    assert_eq!(world.store.accept(fresh.clone()).await.unwrap(), Acceptance::Full);

    let engine = world.start();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let accepted = engine.accept(fresh.clone()).await.unwrap();
    assert_eq!(accepted, Acceptance::New(fresh.id));
    world.settled(fresh.id).await;

    let oldest = world.look(theirs[0]).await;
    assert_eq!(oldest.state.push, Push::Dead(Category::Evicted));
    let refused = engine.replay(theirs[0]).await;
    assert!(matches!(refused, Err(ActError::Evicted)), "{refused:?}");
    for kept in [mine, theirs[1], theirs[4]] {
        assert!(world.store.body(kept).await.unwrap().is_some());
    }
    assert_eq!(world.count("asyncmcp_dead_letters_evicted_total", &[]), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_with_room_keeps_delivered_results() {
    let world = small(1000 * KIB);
    let engine = world.start();
    let job = world.job("echo");
    engine.accept(job.clone()).await.unwrap();
    world.settled(job.id).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(world.store.body(job.id).await.unwrap().is_some());
}
