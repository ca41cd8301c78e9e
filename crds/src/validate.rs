//! Every rule of the API that one route alone can break.
//!
//! The operator, the data plane and the laptop call the same function; what CEL can say stands in the CRD as well.
//!
//! Invariant: pure, and never stops at the first problem.

mod address;
mod findings;
mod headers;
mod metadata;
mod pods;
mod receivers;
mod references;
mod servers;
mod telemetry;
mod transport;
mod webhook;
mod webhook_tools;

use std::fmt;

use findings::Findings;

use crate::v1alpha1::McpWebhookRoute;

/// One mistake: where it is, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `spec.servers[1].url`.
    pub path: String,
    /// What it must be.
    pub message: String,
}

/// Every mistake of a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The mistakes; at least one.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

/// `path: message`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// One problem after the other, separated by `; `.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Checks a route against every rule.
pub fn validate(route: &McpWebhookRoute) -> Result<(), Problems> {
    let mut findings = Findings::default();
    metadata::check(&route.metadata, &mut findings);
    servers::check(&route.spec.servers, &mut findings);
    webhook_tools::check(route.spec.webhook_tools.as_deref(), &mut findings);
    transport::check(route.spec.transport.as_ref(), &mut findings);
    webhook::check(route.spec.webhook.as_ref(), &mut findings);
    pods::check(&route.spec, &mut findings);
    telemetry::check(route.spec.telemetry.as_ref(), &mut findings);
    if findings.0.is_empty() {
        Ok(())
    } else {
        Err(Problems(findings.0))
    }
}
