//! Receivers that misbehave, on real sockets: each delivery ends as `design/delivery.md` says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use asyncmcp_fakes::receiver::{Answer, Receiver, following};
use asyncmcp_fakes::unused_port;

use super::super::Engine;
use super::world::*;
use crate::egress::resolver::{Dns, Lookup, LookupError};
use crate::job::{Job, Retry};
use crate::sender::HttpSender;

/// Knows one name, which comes to mean loopback.
struct Rebinding;

#[async_trait]
impl Lookup for Rebinding {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, LookupError> {
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }
}

/// What became of a call whose answer goes to `url`, with two retries a moment apart.
async fn outcome(world: &World, engine: &Engine, url: &str) -> Job {
    let mut job = to(url, world.job("echo"));
    job.call.retry = Retry::Schedule {
        waits: vec![Duration::from_millis(20); 2],
        jitter_percent: 0,
    };
    let id = job.id;
    engine.accept(job).await.unwrap();
    world.settled(id).await
}

fn started() -> (World, Engine) {
    started_with(Arc::new(Dns::system().unwrap()), World::new())
}

fn started_with(lookup: Arc<dyn Lookup>, world: World) -> (World, Engine) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let engine = world.start_with(Arc::new(HttpSender::new(lookup)));
    (world, engine)
}

/// The fate and the number of requests when a receiver follows these `lines`.
async fn against(lines: impl IntoIterator<Item = Answer>) -> (&'static str, usize) {
    let (world, engine) = started();
    let receiver = Receiver::start(following(lines)).await.unwrap();
    let job = outcome(&world, &engine, &receiver.url("/hook")).await;
    (fate(&job).1, receiver.count())
}

/// The fate and the number of attempts when there is little time. On a busy machine that may
/// be the receiver's own task, so what it saw is not counted.
async fn in_a_hurry(lines: impl IntoIterator<Item = Answer>) -> (&'static str, u32) {
    let world = World::with(|policy| policy.attempt_timeout = Duration::from_millis(200));
    let (world, engine) = started_with(Arc::new(Dns::system().unwrap()), world);
    let receiver = Receiver::start(following(lines)).await.unwrap();
    let job = outcome(&world, &engine, &receiver.url("/hook")).await;
    (fate(&job).1, job.attempts)
}

#[tokio::test]
async fn down() {
    let (world, engine) = started();
    let url = format!("http://127.0.0.1:{}/", unused_port());
    let job = outcome(&world, &engine, &url).await;
    assert_eq!((fate(&job).1, job.attempts), ("connection_refused", 3));
}

#[tokio::test]
async fn slow() {
    assert_eq!(in_a_hurry([Answer::Silence]).await, ("timeout", 3));
}

#[tokio::test]
async fn dripping() {
    assert_eq!(in_a_hurry([Answer::Drip]).await, ("delivered", 1));
}

#[tokio::test]
async fn hanging_up() {
    assert_eq!(
        against([Answer::HangUp, Answer::status(200)]).await,
        ("delivered", 2)
    );
}

#[tokio::test]
async fn answering_without_end() {
    assert_eq!(against([Answer::Flood(1 << 30)]).await, ("delivered", 1));
}

#[tokio::test]
async fn failing_and_recovering() {
    let broken = Answer::status(500);
    assert_eq!(against([broken.clone()]).await, ("http_5xx", 3));
    assert_eq!(against([broken, Answer::status(200)]).await, ("delivered", 2));
}

#[tokio::test]
async fn gone() {
    assert_eq!(against([Answer::status(410)]).await, ("http_4xx", 1));
}

#[tokio::test]
async fn asking_for_a_second() {
    let (world, engine) = started();
    let busy = Answer::with(429, "retry-after: 1");
    let receiver = Receiver::start(following([busy, Answer::status(200)]))
        .await
        .unwrap();
    let job = outcome(&world, &engine, &receiver.url("/hook")).await;
    assert_eq!((fate(&job).1, receiver.count()), ("delivered", 2));
    let took = job.turn.since(job.ended.unwrap());
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn asking_for_a_date() {
    // The world's clock stands at 2027-01-15T08:00:00Z; the date is long past, so the schedule rules.
    let past = Answer::with(503, "retry-after: Wed, 21 Oct 2015 07:28:00 GMT");
    assert_eq!(against([past, Answer::status(200)]).await, ("delivered", 2));
    let (world, engine) = started();
    let soon = Answer::with(503, "retry-after: Fri, 15 Jan 2027 08:00:02 GMT");
    let receiver = Receiver::start(following([soon, Answer::status(200)]))
        .await
        .unwrap();
    let job = outcome(&world, &engine, &receiver.url("/hook")).await;
    assert_eq!(fate(&job).1, "delivered");
    assert!(job.turn.since(START) >= Duration::from_secs(2));
}

#[tokio::test]
async fn redirecting_to_a_metadata_address() {
    let away = Answer::with(302, "location: http://169.254.169.254/latest/meta-data");
    assert_eq!(against([away]).await, ("http_3xx", 3));
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address() {
    let world = World::with(|policy| policy.egress.from_clients.cidrs.clear());
    let (world, engine) = started_with(Arc::new(Rebinding), world);
    let receiver = Receiver::willing().await.unwrap();
    let url = receiver.url_as("receiver.example");
    let job = outcome(&world, &engine, &url).await;
    assert_eq!((fate(&job).1, job.attempts, receiver.count()), ("blocked", 1, 0));
    assert_eq!(
        world.count("asyncmcp_egress_blocked_total", &[("rule", "loopback")]),
        1
    );
}
