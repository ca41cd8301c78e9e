//! The byte budget: many large bodies at once take no more memory than it has.

use std::time::Duration;

use bytes::Bytes;

use super::world::*;
use crate::store::roles::*;

const BUDGET: usize = 128 << 20;

#[tokio::test(start_paused = true)]
async fn many_large_results_at_once_are_held_within_the_budget() {
    let world = World::with(|policy| {
        policy.servers = [("s".to_owned(), 64)].into();
        policy.per_receiver.max_in_flight = 64;
    });
    world
        .receivers
        .script("http://r/", [Reply::status(200).after(Duration::from_secs(3))]);
    let engine = world.start();
    let mut ids = Vec::new();
    for number in 0..40 {
        let job = by(&number.to_string(), world.job("big-15"));
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    let mut most = 0;
    while world.store.counts().pending() > 0 {
        most = most.max(engine.core.memory.taken());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(most > 24 << 20 && most <= BUDGET, "{most} bytes at most");
    for id in ids {
        assert_eq!(fate(&world.look(id).await), ("result", "delivered"));
    }
    eventually(AN_HOUR, async || engine.core.memory.taken() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn calls_with_large_arguments_wait_in_the_store_and_small_ones_pass() {
    let world = World::with(|policy| policy.servers = [("s".to_owned(), 64)].into());
    let engine = world.start();
    let (mut ids, mut most) = (Vec::new(), 0);
    for number in 0..20 {
        let mut job = by(&number.to_string(), world.job("takes-10"));
        job.params = Bytes::from(vec![b' '; 4 << 20]);
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    let small = by("small", world.job("echo"));
    let small_id = small.id;
    engine.accept(small).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(fate(&world.look(small_id).await), ("result", "delivered"));
    let counts = world.store.counts();
    assert_eq!((counts.running, counts.queued), (8, 12), "32 MiB of arguments");
    while world.store.counts().pending() > 0 {
        most = most.max(engine.core.memory.taken());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!((32 << 20..33 << 20).contains(&most), "{most} bytes at most");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_has_no_room_is_read_again_when_there_is_some() {
    let world = World::with(|policy| {
        policy.servers = [("s".to_owned(), 64)].into();
        policy.per_receiver.max_in_flight = 2;
    });
    world.receivers.script(
        "http://r/",
        [
            Reply::status(500),
            Reply::status(200).after(Duration::from_secs(1)),
        ],
    );
    let engine = world.start();
    let mut ids = Vec::new();
    for number in 0..12 {
        let job = by(&number.to_string(), world.job("big-15"));
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    for id in ids {
        assert_eq!(fate(&world.settled(id).await), ("result", "delivered"));
    }
    eventually(AN_HOUR, async || engine.core.memory.taken() == 0).await;
}
