//! The volume of an embedded store.
//!
//! Invariant: the operator owns it, not the `StatefulSet`: its name holds a hash of the route's uid, it is resized by
//! patch, and it can outlive its route.

use super::Plan;
use crate::names::Names;
use asyncmcp_crds::effective::{EmbeddedStore, Store};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};

/// The claim of the store's volume: the route's own, or the existing one that it names.
pub(crate) fn name(names: &Names, store: &Store) -> Option<String> {
    match store {
        Store::Embedded(store) => Some(store.existing_claim.clone().unwrap_or_else(|| names.store())),
        Store::Memory => None,
    }
}

/// `None` if the route names an existing claim.
pub(super) fn build(plan: &Plan<'_>, store: &EmbeddedStore) -> Option<PersistentVolumeClaim> {
    if store.existing_claim.is_some() {
        return None;
    }
    Some(PersistentVolumeClaim {
        metadata: plan.meta(plan.names().store()),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec![store.access_mode.as_str().to_owned()]),
            storage_class_name: store.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), store.size.to_api())].into()),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    })
}
