//! Which sessions were seen lately: the gauge `asyncmcp_sessions`.
//!
//! [`super::Metrics`] records the session of every request; they are counted when scraped.
//! Invariant: sessions are sealed into their ids, so nobody can count the idle ones, and
//! memory is bounded however many there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asyncmcp_delivery::clock::{Clock, Millis};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Opts};

use crate::caller::Scope;

/// How long after its last request a session counts.
const WINDOW: Duration = Duration::from_mins(5);
/// So many are counted at most: 64 bytes each.
const MAX_COUNTED: usize = 100_000;

/// The sessions seen lately.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    clock: Clock,
    last: Arc<Mutex<HashMap<Scope, Millis>>>,
    gauge: Gauge,
}

impl Seen {
    pub(super) fn new(clock: Clock) -> Result<Self, prometheus::Error> {
        let help =
            "Client sessions with a request in the last 5 minutes, at most 100000; idle ones are not known";
        Ok(Self {
            clock,
            last: Arc::default(),
            gauge: Gauge::with_opts(Opts::new("asyncmcp_sessions", help))?,
        })
    }

    pub(super) fn note(&self, scope: Scope) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() < MAX_COUNTED || last.contains_key(&scope) {
            last.insert(scope, self.clock.now());
        }
    }

    fn count(&self) -> usize {
        let now = self.clock.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, at| now.since(*at) < WINDOW);
        last.len()
    }
}

impl Collector for Seen {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let count = u32::try_from(self.count()).expect("at most MAX_COUNTED");
        self.gauge.set(f64::from(count));
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_counts_once_until_it_was_idle_for_five_minutes() {
        let seen = Seen::new(Clock::at(Millis(0))).unwrap();
        seen.note(Scope([1; 16]));
        tokio::time::advance(WINDOW / 2).await;
        seen.note(Scope([2; 16]));
        seen.note(Scope([2; 16]));
        assert_eq!(seen.count(), 2);
        tokio::time::advance(WINDOW / 2).await;
        assert_eq!(seen.count(), 1);
        assert!((seen.collect()[0].get_metric()[0].get_gauge().get_value() - 1.0).abs() < f64::EPSILON);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let seen = Seen::new(Clock::at(Millis(0))).unwrap();
        for n in 0..MAX_COUNTED as u128 + 5 {
            seen.note(Scope(n.to_be_bytes()));
        }
        assert_eq!(seen.count(), MAX_COUNTED);
    }
}
