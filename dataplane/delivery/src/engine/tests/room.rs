//! A store without room: nothing begins, what began ends and is delivered, and delivered results make room.

use std::sync::Arc;
use std::time::Duration;

use super::flaky::Flaky;
use super::world::{AN_HOUR, Reply, World, eventually, fate, to};
use crate::job::Change;
use crate::state::End;
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
async fn a_store_with_room_keeps_delivered_results() {
    let world = small(1000 * KIB);
    let engine = world.start();
    let job = world.job("echo");
    engine.accept(job.clone()).await.unwrap();
    world.settled(job.id).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(world.store.body(job.id).await.unwrap().is_some());
}
