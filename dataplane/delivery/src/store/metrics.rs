//! The stores' metrics: whether commits succeed, how large they are, how many jobs are in each state.
//!
//! Both stores update the same ones. Invariant: every state is there from the start, at zero, so that a rate never
//! begins late.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::notices::{NoticeCounts, NoticeEnd};
use super::{Counts, Space};

/// Operations in one commit: every power of two up to the largest group.
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The metrics of one store.
#[derive(Clone, Debug)]
pub struct Metrics {
    up: IntGauge,
    batch: Histogram,
    jobs: IntGaugeVec,
    unreadable: IntGauge,
    used: IntGauge,
    budget: IntGauge,
    notices: IntCounterVec,
}

impl Metrics {
    /// The metrics, shown by `registry`.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self::default();
        registry.register(Box::new(metrics.up.clone()))?;
        registry.register(Box::new(metrics.batch.clone()))?;
        registry.register(Box::new(metrics.jobs.clone()))?;
        registry.register(Box::new(metrics.unreadable.clone()))?;
        registry.register(Box::new(metrics.used.clone()))?;
        registry.register(Box::new(metrics.budget.clone()))?;
        registry.register(Box::new(metrics.notices.clone()))?;
        Ok(metrics)
    }

    /// Whether commits succeed.
    pub(super) fn set_up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    /// A commit of `size` operations succeeded.
    pub(super) fn committed(&self, size: u32) {
        self.batch.observe(f64::from(size));
    }

    /// How many values wait for their key.
    pub(super) fn set_unreadable(&self, values: u64) {
        self.unreadable.set(i64::try_from(values).unwrap_or(i64::MAX));
    }

    /// How much space is used, and may be used.
    pub(super) fn set_space(&self, space: &Space) {
        self.used.set(i64::try_from(space.used).unwrap_or(i64::MAX));
        let budget = space.budget.unwrap_or(0);
        self.budget.set(i64::try_from(budget).unwrap_or(i64::MAX));
    }

    /// What became of the events of a commit that succeeded.
    pub(super) fn notified(&self, counts: NoticeCounts) {
        for end in NoticeEnd::ALL {
            let counter = self.notices.with_label_values(&[end.as_str()]);
            counter.inc_by(counts.of(end));
        }
    }

    /// How many jobs are in each state.
    pub(super) fn set_jobs(&self, counts: &Counts) {
        let states = [
            ("queued", counts.queued),
            ("running", counts.running),
            ("due", counts.due),
            ("sending", counts.sending),
            ("dead", counts.dead),
        ];
        for (state, count) in states {
            self.jobs
                .with_label_values(&[state])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

impl Default for Metrics {
    /// Metrics that are not scraped.
    fn default() -> Self {
        let valid = "the name is a valid metric name";
        let up = IntGauge::new("asyncmcp_store_up", "1 while commits succeed, else 0.").expect(valid);
        let batch = HistogramOpts::new(
            "asyncmcp_store_commit_batch_size",
            "Operations per commit of the store.",
        );
        let batch = Histogram::with_opts(batch.buckets(BATCH_BUCKETS.to_vec())).expect(valid);
        let jobs = Opts::new(
            "asyncmcp_jobs",
            "Jobs by state: queued, running, due, sending, dead.",
        );
        let jobs = IntGaugeVec::new(jobs, &["state"]).expect(valid);
        let unreadable = IntGauge::new(
            "asyncmcp_store_key_missing_values",
            "Stored values encrypted with a key that is not in the key ring; their jobs wait until it is back.",
        )
        .expect(valid);
        let used = IntGauge::new(
            "asyncmcp_store_used_bytes",
            "Bytes used by the store, with what it reserves for jobs that wait or run.",
        )
        .expect(valid);
        let budget = IntGauge::new(
            "asyncmcp_store_budget_bytes",
            "Bytes the store may use: 80 % of its volume; calls are refused at 70 % of that. 0 if unlimited.",
        )
        .expect(valid);
        let notices = Opts::new(
            "asyncmcp_dead_letter_notifications_total",
            "Events about dead letters (webhook.deadLetter.notify): stored for delivery, dropped for lack of space, or \
             deleted after they died themselves to make space for newer ones.",
        );
        let notices = IntCounterVec::new(notices, &["outcome"]).expect(valid);
        let metrics = Self {
            up,
            batch,
            jobs,
            unreadable,
            used,
            budget,
            notices,
        };
        metrics.set_jobs(&Counts::default());
        metrics.notified(NoticeCounts::default());
        metrics
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn shows_every_state_before_the_first_job() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.set_up(true);
        metrics.set_jobs(&Counts {
            due: 3,
            ..Counts::default()
        });
        metrics.committed(5);
        metrics.set_space(&Space {
            used: 7,
            budget: Some(8),
            is_full: false,
        });

        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();

        for line in [
            "asyncmcp_store_up 1",
            "asyncmcp_store_key_missing_values 0",
            "asyncmcp_store_used_bytes 7",
            "asyncmcp_store_budget_bytes 8",
            "asyncmcp_dead_letter_notifications_total{outcome=\"stored\"} 0",
            "asyncmcp_dead_letter_notifications_total{outcome=\"dropped\"} 0",
            "asyncmcp_dead_letter_notifications_total{outcome=\"replaced\"} 0",
            "asyncmcp_jobs{state=\"queued\"} 0",
            "asyncmcp_jobs{state=\"running\"} 0",
            "asyncmcp_jobs{state=\"due\"} 3",
            "asyncmcp_jobs{state=\"sending\"} 0",
            "asyncmcp_jobs{state=\"dead\"} 0",
            "asyncmcp_store_commit_batch_size_bucket{le=\"4\"} 0",
            "asyncmcp_store_commit_batch_size_bucket{le=\"8\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
