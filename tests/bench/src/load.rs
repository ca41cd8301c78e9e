//! The two loads: so many calls a second, and as many as come back.
//!
//! Invariant: figures are of the deliveries within the measured time, after a time to warm up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::book::Book;
use crate::client::Session;

/// How long a delivery may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// What passes before anything is measured.
pub(crate) const WARM_UP: Duration = Duration::from_secs(3);

/// Who calls, and where calls are written down.
#[derive(Clone)]
pub(crate) struct Load {
    /// One for each receiver.
    pub(crate) sessions: Arc<[Arc<Session>]>,
    /// The calls.
    pub(crate) book: Book,
}

/// One delivery.
#[derive(Clone, Copy)]
pub(crate) struct Delivery {
    /// From the acknowledgement.
    pub(crate) took: Duration,
    /// How long the acknowledgement took.
    pub(crate) acknowledged: Duration,
    at: Instant,
}

impl Load {
    /// Calls `rate` times a second, whatever comes back, until `end`.
    pub(crate) async fn paced(&self, rate: u32, end: Instant) -> Result<Vec<Delivery>> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut calls = JoinSet::new();
        for turn in 0.. {
            ticks.tick().await;
            if Instant::now() >= end {
                break;
            }
            let load = self.clone();
            calls.spawn(async move { load.one(turn).await });
        }
        calls.join_all().await.into_iter().collect()
    }

    /// Keeps `lanes` calls under way until `end`: each lane calls again when its delivery was there.
    pub(crate) async fn full(&self, lanes: usize, end: Instant) -> Result<Vec<Delivery>> {
        let mut all = JoinSet::new();
        for lane in 0..lanes {
            let load = self.clone();
            all.spawn(async move {
                let mut deliveries = Vec::new();
                while Instant::now() < end {
                    deliveries.push(load.one(lane).await?);
                }
                Ok(deliveries)
            });
        }
        let lanes: Result<Vec<Vec<Delivery>>> = all.join_all().await.into_iter().collect();
        Ok(lanes?.concat())
    }

    /// One call, until its result was delivered.
    async fn one(&self, turn: usize) -> Result<Delivery> {
        let session = &self.sessions[turn % self.sessions.len()];
        let began = Instant::now();
        let (id, delivered) = self.book.open();
        let call = session.call(id).await?;
        let acknowledged = call.at - began;
        let at = match tokio::time::timeout(PATIENCE, delivered).await {
            Ok(at) => at?,
            Err(_) => call.at + PATIENCE, // the book knows it as missing
        };
        let took = at.saturating_duration_since(call.at);
        session.finish(call);
        Ok(Delivery {
            took,
            acknowledged,
            at,
        })
    }
}

/// Those that were there between `from` and `to`.
pub(crate) fn within(deliveries: Vec<Delivery>, from: Instant, to: Instant) -> Vec<Delivery> {
    let measured = |delivery: &Delivery| (from..to).contains(&delivery.at);
    deliveries.into_iter().filter(measured).collect()
}

/// Those that were accepted since `from`, however late they came.
pub(crate) fn accepted_since(deliveries: Vec<Delivery>, from: Instant) -> Vec<Delivery> {
    let measured = |delivery: &Delivery| delivery.at >= from + delivery.took;
    deliveries.into_iter().filter(measured).collect()
}

/// p50, p95 and p99, in milliseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort_unstable();
    [50, 95, 99].map(|percent| {
        let index = times.len() * percent / 100;
        let time = times.get(index.min(times.len().saturating_sub(1)));
        time.copied().unwrap_or_default().as_secs_f64() * 1e3
    })
}
