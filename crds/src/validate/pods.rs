//! Settings of the pods: the store, the deletion policy, the data plane itself, and who runs it.
//!
//! Invariant: quantities are already parsed; whether a cluster can provide them, only the cluster knows.

use std::collections::BTreeMap;

use super::Findings;
use crate::form;
use crate::v1alpha1::{DataPlane, EmbeddedStore, McpWebhookRouteSpec, Store, data_plane, store};

pub(super) fn check(spec: &McpWebhookRouteSpec, findings: &mut Findings) {
    if let Some(store) = &spec.store {
        check_store(store, findings);
    }
    if let Some(class) = &spec.operator_class {
        findings.form("spec.operatorClass", &form::NAME, class);
    }
    if let Some(deletion) = &spec.deletion {
        findings.not_zero("spec.deletion.timeout", deletion.timeout.as_ref());
    }
    if let Some(data_plane) = &spec.data_plane {
        check_data_plane(data_plane, findings);
    }
}

fn check_store(given: &Store, findings: &mut Findings) {
    findings.exactly_one(
        "spec.store",
        &store::MEMBERS,
        &[given.embedded.is_some(), given.memory.is_some()],
    );
    if let Some(embedded) = &given.embedded {
        check_embedded(embedded, findings);
    }
}

fn check_embedded(given: &EmbeddedStore, findings: &mut Findings) {
    if let Some(class) = &given.storage_class_name {
        findings.form(
            "spec.store.embedded.storageClassName",
            &form::STORAGE_CLASS,
            class,
        );
    }
    if let Some(claim) = &given.existing_claim {
        let alone = given.storage_class_name.is_none() && given.access_mode.is_none();
        findings.form("spec.store.embedded.existingClaim", &form::OBJECT_NAME, claim);
        findings.require(alone, "spec.store.embedded", store::CLAIM_MESSAGE);
    }
}

fn check_data_plane(given: &DataPlane, findings: &mut Findings) {
    if let Some(image) = &given.image {
        findings.form("spec.dataPlane.image", &form::IMAGE, image);
    }
    if let Some(resources) = &given.resources {
        let amounts = [("requests", &resources.requests), ("limits", &resources.limits)];
        for (name, amounts) in amounts {
            let count = amounts.as_ref().map_or(0, BTreeMap::len);
            findings.count(&format!("spec.dataPlane.resources.{name}"), 0..=16, count);
        }
    }
    if let Some(period) = &given.termination_grace_period {
        let enough = period.as_std() >= data_plane::SHORTEST_GRACE;
        findings.require(
            enough,
            "spec.dataPlane.terminationGracePeriod",
            data_plane::GRACE_MESSAGE,
        );
    }
}
