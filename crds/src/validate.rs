//! Every rule of the API that can be checked on one route alone.
//!
//! The operator and the data plane call the same function; rules that CEL can express are in the CRD as well.
//!
//! Invariant: pure, and reports all problems, not only the first.

mod address;
mod auth;
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

/// One mistake: the field, and what its value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `spec.servers[1].url`.
    pub path: String,
    /// What its value must be.
    pub message: String,
}

/// All mistakes in a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems; at least one.
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

/// The problems, separated by `; `.
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
    auth::check(route.spec.auth.as_ref(), &mut findings);
    webhook::check(route.spec.webhook.as_ref(), &mut findings);
    pods::check(&route.spec, &mut findings);
    telemetry::check(route.spec.telemetry.as_ref(), &mut findings);
    if findings.0.is_empty() {
        Ok(())
    } else {
        Err(Problems(findings.0))
    }
}
