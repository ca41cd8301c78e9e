//! What is measured of credentials.
//!
//! Moved by [`super::Auth`] and [`super::issuer`] only. Invariant: every label is one of a closed set.

use prometheus::{IntCounterVec, Opts, Registry};

use crate::caller::respond::access::Error;

/// The counters. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    refused: IntCounterVec,
    fetches: IntCounterVec,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let refused = Opts::new(
            "asyncmcp_unauthorized_requests_total",
            "Requests that their credentials did not let in, by reason.",
        );
        let fetches = Opts::new(
            "asyncmcp_issuer_key_reads_total",
            "How often the keys of authorization servers were read, by outcome.",
        );
        let metrics = Self {
            refused: IntCounterVec::new(refused, &["reason"])?,
            fetches: IntCounterVec::new(fetches, &["outcome"])?,
        };
        for reason in Error::reasons() {
            metrics.refused.with_label_values(&[reason]);
        }
        for outcome in ["ok", "failed"] {
            metrics.fetches.with_label_values(&[outcome]);
        }
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.fetches.clone()))?;
        Ok(metrics)
    }

    pub(super) fn refused(&self, error: &Error) {
        self.refused.with_label_values(&[error.reason()]).inc();
    }

    pub(super) fn fetched(&self, is_ok: bool) {
        let outcome = if is_ok { "ok" } else { "failed" };
        self.fetches.with_label_values(&[outcome]).inc();
    }
}
