//! Logs and traces.
//!
//! Invariant: the collector may be at any address except link-local and metadata addresses, as for servers: the route's
//! author chooses it.

use super::{Findings, address, headers};
use crate::form;
use crate::v1alpha1::Telemetry;

pub(super) fn check(telemetry: Option<&Telemetry>, findings: &mut Findings) {
    let Some(telemetry) = telemetry else { return };
    let percent = telemetry.sampling_percent.unwrap_or_default();
    findings.range("spec.telemetry.samplingPercent", 0..=100, percent.into());
    if let Some(otlp) = &telemetry.otlp {
        findings.url(
            "spec.telemetry.otlp.endpoint",
            &form::OTLP_URL,
            Some(&otlp.endpoint),
        );
        let endpoint = Some(otlp.endpoint.as_str());
        address::check_url("spec.telemetry.otlp.endpoint", endpoint, "collectors", findings);
        headers::check("spec.telemetry.otlp.headers", otlp.headers.as_deref(), findings);
    }
}
