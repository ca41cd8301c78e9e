//! The ConfigMap with the route documents: the one to serve, and the last that every pod served.
//!
//! Invariant: it holds only what the user wrote, so that writing it never causes another write.

use super::Plan;
use k8s_openapi::api::core::v1::ConfigMap;
use std::collections::BTreeMap;

/// The document to serve.
pub(crate) const ROUTE: &str = "route.json";
/// The hash of [`ROUTE`], which pods report back.
pub(crate) const HASH: &str = "config-hash";
/// The last document that every pod served; a pod that rejects the new one serves this.
pub(crate) const LAST_ROUTE: &str = "last-route.json";
/// The hash of [`LAST_ROUTE`].
pub(crate) const LAST_HASH: &str = "last-config-hash";

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
