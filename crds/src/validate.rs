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

use findings::Findings;

use crate::form::Form;
use crate::problem::{Problem, Problems};
use crate::v1alpha1::McpWebhookRoute;

/// Checks the URL that a flag gives in place of a field with this format.
pub(crate) fn url(flag: &str, url: &str, form: &Form) -> Option<Problem> {
    let mut findings = Findings::default();
    findings.url(flag, form, Some(url));
    address::check_url(flag, Some(url), "servers and receivers", &mut findings);
    findings.0.into_iter().next()
}

/// Checks a route against every rule.
pub fn validate(route: &McpWebhookRoute) -> Result<(), Problems> {
    let mut findings = Findings::default();
    metadata::check(&route.metadata, &mut findings);
    servers::check(&route.spec.servers, &mut findings);
    webhook_tools::check(route.spec.webhook_tools.as_deref(), &mut findings);
    transport::check(route.spec.transport.as_ref(), &mut findings);
    auth::check(&route.spec, &mut findings);
    webhook::check(route.spec.webhook.as_ref(), &mut findings);
    pods::check(&route.spec, &mut findings);
    telemetry::check(route.spec.telemetry.as_ref(), &mut findings);
    if findings.0.is_empty() {
        Ok(())
    } else {
        Err(Problems::from(findings.0))
    }
}
