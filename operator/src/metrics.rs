//! The metrics that reconciles update. Registered by `run`, updated by `route`, served at `/metrics`; what is computed
//! at a scrape is in `scrape`.
//!
//! Invariant: no label names a route, so a deleted route leaves no series.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

/// The metrics that code updates.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) reconcile_seconds: Histogram,
    /// Failed reconciles, by the step that failed.
    pub(crate) reconcile_errors: IntCounterVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let buckets = vec![
            0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        ];
        let seconds = HistogramOpts::new(
            "asyncmcp_operator_reconcile_seconds",
            "Duration of one reconcile of a route, in seconds.",
        );
        let errors = Opts::new(
            "asyncmcp_operator_reconcile_errors_total",
            "Failed reconciles (each is retried), by the step that failed.",
        );
        let metrics = Self {
            reconcile_seconds: Histogram::with_opts(seconds.buckets(buckets))?,
            reconcile_errors: IntCounterVec::new(errors, &["reason"])?,
        };
        registry.register(Box::new(metrics.reconcile_seconds.clone()))?;
        registry.register(Box::new(metrics.reconcile_errors.clone()))?;
        Ok(metrics)
    }
}
