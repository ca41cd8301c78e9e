//! Neighbours: what one client, or one server that is away, leaves to others.

use std::time::Duration;

use super::world::*;
use crate::engine::Engine;
use crate::id::JobId;
use crate::store::roles::*;

/// Within this time a quick call is delivered, whatever its neighbours do.
const SOON: Duration = Duration::from_secs(1);

async fn flood(world: &World, engine: &Engine, tool: &str, count: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let job = by("hostile", world.job(tool));
        ids.push(job.id);
        engine.accept(job).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    ids
}

async fn is_quick(world: &World, engine: &Engine, job: crate::job::NewJob) {
    let id = job.id;
    engine.accept(job).await.unwrap();
    let job = tokio::time::timeout(SOON, world.settled(id)).await.unwrap();
    assert_eq!(fate(&job), ("result", "delivered"));
}

#[tokio::test(start_paused = true)]
async fn one_client_runs_no_more_than_its_share_of_a_server() {
    let world = World::new();
    let engine = world.start();
    flood(&world, &engine, "hang", 40).await;
    assert_eq!(world.store.counts().running, 12, "three quarters of 16");
    is_quick(&world, &engine, by("other", world.job("echo"))).await;
    flood(&world, &engine, "hang", 1).await;
    world.change_policy(|policy| policy.max_running_percent = 100);
    tokio::time::sleep(SOON).await;
    assert_eq!(world.store.counts().running, 16);
}

#[tokio::test(start_paused = true)]
async fn one_client_runs_no_more_than_its_share_in_all() {
    let world = World::with(|policy| policy.max_running = 4);
    let engine = world.start();
    flood(&world, &engine, "hang", 40).await;
    assert_eq!(world.store.counts().running, 3);
    is_quick(&world, &engine, on("t", by("other", world.job("echo")))).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_holds_no_place() {
    let world = World::with(|policy| {
        policy.max_running = 4;
        policy.max_running_percent = 100;
    });
    let engine = world.start();
    let waiting = flood(&world, &engine, "down-5", 40).await;
    assert_eq!(world.store.counts().running, 0, "what waits is a row");
    is_quick(&world, &engine, on("t", by("hostile", world.job("echo")))).await;
    let tries = world.servers.count();
    assert!(tries < 10, "it is tried with one call, not with each: {tries}");
    for id in waiting {
        let job = world.settled(id).await;
        assert_eq!((fate(&job), job.executions), (("result", "delivered"), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_capacity_waits_alone() {
    let world = World::new();
    let engine = world.start();
    let full = flood(&world, &engine, "full-3", 20).await;
    is_quick(&world, &engine, by("hostile", world.job("echo"))).await;
    for id in full {
        let job = world.settled(id).await;
        assert_eq!((fate(&job), job.executions), (("result", "delivered"), 1));
        assert!(job.unsent_since.is_some());
    }
}
