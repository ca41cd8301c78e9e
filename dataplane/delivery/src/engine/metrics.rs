//! The engine's metrics.
//!
//! Invariant: every label is from a closed set or the route's catalogue, and what an alert needs is there, at zero, from
//! the start.

use std::time::Duration;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    core::Collector,
};

use crate::clock::Millis;
use crate::egress::{Refusal, Rules};
use crate::history::Outcome;
use crate::job::{Call, Change, Job};
use crate::sender::Attempt;
use crate::state::{Category, Exec, Fault, Stage};
use crate::verdict::Verdict;

const EXECUTION_SECONDS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0,
];
const ATTEMPT_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
const DELIVERY_SECONDS: &[f64] = &[
    0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0,
];
const JOBS_ACCEPTED: Named = (
    "asyncmcp_jobs_accepted_total",
    "Calls accepted for delivery by webhook.",
);
const DELIVERY_ATTEMPTS: Named = ("asyncmcp_delivery_attempts_total", "POSTs to receivers.");
const DELIVERY_ATTEMPT_DURATION: Named = (
    "asyncmcp_delivery_attempt_duration_seconds",
    "Duration of one POST.",
);
const DELIVERY_RETRIES: Named = (
    "asyncmcp_delivery_retries_total",
    "Failed attempts that will be retried, by reason.",
);
const TIME_TO_DELIVERY: Named = (
    "asyncmcp_time_to_delivery_seconds",
    "From the tool's result, or its replay, to the receiver's 2xx.",
);
const OLDEST_PENDING: Named = (
    "asyncmcp_oldest_pending_seconds",
    "Age of the oldest job in each state: since its acceptance (queued), the start of its execution (running), its result \
     or its replay (due, sending); 0 if there is none.",
);
const LONGEST_TIMEOUT: Named = (
    "asyncmcp_webhook_tool_timeout_seconds",
    "The longest timeout of the route's webhook tools: no execution takes longer.",
);
const DEAD_LETTERS: Named = (
    "asyncmcp_dead_letters_total",
    "Deliveries that became dead letters, by the last reason.",
);
const DEAD_LETTERS_EVICTED: Named = (
    "asyncmcp_dead_letters_evicted_total",
    "Dead letters whose bodies were deleted to make room in the store; they cannot be replayed.",
);
const RECONCILED_JOBS: Named = (
    "asyncmcp_reconciled_jobs_total",
    "Jobs in progress that nothing was working on, by state. They were resumed.",
);
const EGRESS_BLOCKED: Named = (
    "asyncmcp_egress_blocked_total",
    "Receivers refused by the egress policy, by rule.",
);
const BREAKER_OPEN: Named = (
    "asyncmcp_breaker_open",
    "Receivers whose circuit breaker is open or half open.",
);
const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

pub(super) struct Metrics {
    jobs_accepted: IntCounterVec,
    job_duration: HistogramVec,
    attempts: IntCounterVec,
    attempt_duration: Histogram,
    retries: IntCounterVec,
    time_to_delivery: Histogram,
    oldest_pending: GaugeVec,
    longest_timeout: Gauge,
    breaker_open: Gauge,
    dead_letters: IntCounterVec,
    evicted: IntCounter,
    reconciled: IntCounterVec,
    egress_blocked: IntCounterVec,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            jobs_accepted: counter(registry, JOBS_ACCEPTED, &["server", "tool"])?,
            job_duration: durations(registry, "From acceptance to the tool's result.")?,
            attempts: counter(registry, DELIVERY_ATTEMPTS, &["outcome", "status_class"])?,
            attempt_duration: histogram(registry, DELIVERY_ATTEMPT_DURATION, ATTEMPT_SECONDS)?,
            retries: counter(registry, DELIVERY_RETRIES, &["reason"])?,
            time_to_delivery: histogram(registry, TIME_TO_DELIVERY, DELIVERY_SECONDS)?,
            oldest_pending: gauges(registry, OLDEST_PENDING, &["state"])?,
            longest_timeout: gauge(registry, LONGEST_TIMEOUT)?,
            breaker_open: gauge(registry, BREAKER_OPEN)?,
            dead_letters: counter(registry, DEAD_LETTERS, &["reason"])?,
            evicted: lone_counter(registry, DEAD_LETTERS_EVICTED)?,
            reconciled: counter(registry, RECONCILED_JOBS, &["state"])?,
            egress_blocked: counter(registry, EGRESS_BLOCKED, &["rule"])?,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    fn begin_at_zero(&self) {
        for outcome in Outcome::ALL {
            for class in STATUS_CLASSES {
                self.attempts.with_label_values(&[outcome.as_str(), class]);
            }
        }
        for category in Category::ALL {
            if category == Category::Evicted {
                continue; // has a counter of its own: it was counted when it died
            }
            self.dead_letters.with_label_values(&[category.as_str()]);
            if !matches!(
                category,
                Category::Expired | Category::Corrupt | Category::Blocked
            ) {
                self.retries.with_label_values(&[category.as_str()]);
            }
        }
        for stage in [Stage::Running, Stage::Sending] {
            self.reconciled.with_label_values(&[stage.as_str()]);
        }
        for stage in [Stage::Queued, Stage::Running, Stage::Due, Stage::Sending] {
            self.oldest_pending(stage, Duration::ZERO);
        }
        for fault in Fault::ALL {
            self.retries.with_label_values(&[fault.as_str()]);
        }
        for rule in Rules::names() {
            self.egress_blocked.with_label_values(&[rule]);
        }
    }

    /// Counts a job of this process that nothing was working on.
    pub(super) fn reconciled(&self, job: &Job) {
        self.reconciled
            .with_label_values(&[job.state.stage().as_str()])
            .inc();
    }

    pub(super) fn accepted(&self, server: &str, tool: &str) {
        self.jobs_accepted.with_label_values(&[server, tool]).inc();
    }

    pub(super) fn ended(&self, job: &Job, call: &Call) {
        let Exec::Ended(end) = job.state.exec else { return };
        let labels = [call.server.as_str(), call.shown_as.as_str(), end.as_str()];
        let took = job.ended.unwrap_or(job.accepted).since(job.accepted);
        self.job_duration
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
    }

    pub(super) fn attempted(&self, attempt: &Attempt, outcome: Outcome) {
        let labels = [outcome.as_str(), class(attempt.status)];
        self.attempts.with_label_values(&labels).inc();
        self.attempt_duration.observe(attempt.duration.as_secs_f64());
        if let Verdict::Refused(refusal) = attempt.verdict {
            self.blocked(refusal);
        }
    }

    pub(super) fn interrupted(&self) {
        let labels = [Outcome::Interrupted.as_str(), "none"];
        self.attempts.with_label_values(&labels).inc();
    }

    /// Counts the outcome of an attempt for its delivery.
    pub(super) fn settled(&self, job: &Job, change: &Change, verdict: Verdict, now: Millis) {
        match change {
            Change::Deliver => {
                let since = now.since(job.undelivered_since().unwrap_or(job.accepted));
                self.time_to_delivery.observe(since.as_secs_f64());
            }
            Change::Bury { why } => self.dead_letters.with_label_values(&[why.as_str()]).inc(),
            _ => self.retries.with_label_values(&[reason(verdict)]).inc(),
        }
    }

    /// Counts a dead letter that no attempt made.
    pub(super) fn dead(&self, why: Category) {
        self.dead_letters.with_label_values(&[why.as_str()]).inc();
    }

    /// Counts dead letters that lost their bodies.
    pub(super) fn evicted(&self, jobs: u64) {
        self.evicted.inc_by(jobs);
    }

    pub(super) fn blocked(&self, refusal: Refusal) {
        self.egress_blocked.with_label_values(&[refusal.rule()]).inc();
    }

    pub(super) fn open_breakers(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.breaker_open.set(f64::from(count));
    }

    pub(super) fn oldest_pending(&self, stage: Stage, age: Duration) {
        self.oldest_pending
            .with_label_values(&[stage.as_str()])
            .set(age.as_secs_f64());
    }

    pub(super) fn longest_timeout(&self, timeout: Duration) {
        self.longest_timeout.set(timeout.as_secs_f64());
    }
}

fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Requeue(fault) => fault.as_str(),
        other => other.category().map_or("none", Category::as_str),
    }
}

fn class(status: Option<u16>) -> &'static str {
    match status.map_or(0, |status| status / 100) {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "none",
    }
}

/// A metric's name and HELP.
type Named = (&'static str, &'static str);

fn counter(registry: &Registry, (name, help): Named, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    let options = Opts::new(name, help);
    register(registry, IntCounterVec::new(options, labels)?)
}

fn lone_counter(registry: &Registry, (name, help): Named) -> prometheus::Result<IntCounter> {
    register(registry, IntCounter::new(name, help)?)
}

fn histogram(registry: &Registry, (name, help): Named, buckets: &[f64]) -> prometheus::Result<Histogram> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    register(registry, Histogram::with_opts(options)?)
}

fn gauges(registry: &Registry, (name, help): Named, labels: &[&str]) -> prometheus::Result<GaugeVec> {
    register(registry, GaugeVec::new(Opts::new(name, help), labels)?)
}

fn gauge(registry: &Registry, (name, help): Named) -> prometheus::Result<Gauge> {
    register(registry, Gauge::new(name, help)?)
}

fn durations(registry: &Registry, help: &str) -> prometheus::Result<HistogramVec> {
    let options =
        HistogramOpts::new("asyncmcp_job_duration_seconds", help).buckets(EXECUTION_SECONDS.to_vec());
    let labels = ["server", "tool", "outcome"];
    register(registry, HistogramVec::new(options, &labels)?)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
