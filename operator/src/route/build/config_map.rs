//! The ConfigMap with the route document: what pods are to serve, and what they served last.
//!
//! Invariant: nothing but the user's word is in it, so that writing it never causes the next write.

use super::Plan;
use k8s_openapi::api::core::v1::ConfigMap;
use std::collections::BTreeMap;

/// The document, and its hash, which pods report.
pub const ROUTE: &str = "route.json";
/// The hash of [`ROUTE`].
pub const HASH: &str = "config-hash";
/// The last document that every pod served; a pod that must refuse the new one serves this.
pub const LAST_ROUTE: &str = "last-route.json";
/// The hash of [`LAST_ROUTE`].
pub const LAST_HASH: &str = "last-config-hash";

pub(super) fn build(plan: &Plan<'_>) -> ConfigMap {
    let current = &plan.valid.document;
    let mut data = BTreeMap::from([
        (ROUTE.to_owned(), current.json.clone()),
        (HASH.to_owned(), current.hash.clone()),
    ]);
    if let Some(last) = plan.last {
        data.insert(LAST_ROUTE.to_owned(), last.json.clone());
        data.insert(LAST_HASH.to_owned(), last.hash.clone());
    }
    ConfigMap {
        metadata: plan.meta(plan.names().config_map()),
        data: Some(data),
        ..ConfigMap::default()
    }
}
