//! The name of a route.
//!
//! Invariant: every name derived from a route that passes is a valid label of at most 63 characters.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Findings;
use crate::form;

pub(super) fn check(metadata: &ObjectMeta, findings: &mut Findings) {
    findings.form(
        "metadata.name",
        &form::ROUTE_NAME,
        metadata.name.as_deref().unwrap_or_default(),
    );
    if let Some(namespace) = &metadata.namespace {
        findings.form("metadata.namespace", &form::NAME, namespace);
    }
}
