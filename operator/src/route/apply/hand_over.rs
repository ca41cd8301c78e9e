//! The end of a route: its children get it as their owner, so that the garbage collector deletes them with it. Called by
//! `drain`, right before the finalizer is removed.
//!
//! Invariant: only what carries the route's uid is handed over. A volume is not: `drain` decides about it.

use super::{Applied, Error, Owner, gone_is_fine};
use crate::kinds::{Key, Kind};
use crate::names::Names;
use crate::route::context::Context;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;
use std::collections::BTreeMap;

/// Hands over every child but the volume. The Secret with the route's keys goes with the `ServiceAccount`.
pub(crate) async fn children(
    context: &Context,
    names: &Names,
    applied: &BTreeMap<Key, Applied>,
) -> Result<(), Error> {
    for kind in KINDS {
        child(context, names, &of_kind(kind, names), applied).await?;
    }
    Ok(())
}

const KINDS: [Kind; 5] = [
    Kind::ServiceAccount,
    Kind::ConfigMap,
    Kind::Service,
    Kind::StatefulSet,
    Kind::Deployment,
];

fn of_kind(kind: Kind, names: &Names) -> Key {
    let name = match kind {
        Kind::ConfigMap => names.config_map(),
        _ => names.dataplane(),
    };
    Key::new(kind, name)
}

/// Hands over one child, if it exists and is the route's. What was applied a moment ago may not be in the cache yet.
pub(crate) async fn child(
    context: &Context,
    names: &Names,
    key: &Key,
    applied: &BTreeMap<Key, Applied>,
) -> Result<(), Error> {
    let cached = context.caches.meta(names.namespace(), key);
    let fresh = || ObjectMeta {
        uid: applied.get(key).and_then(Applied::uid).cloned(),
        ..ObjectMeta::default()
    };
    let meta = match &cached {
        Some(meta) if Owner::of(&meta.metadata, names) != Owner::Route => return Ok(()),
        Some(meta) => meta.metadata.clone(),
        None => fresh(),
    };
    match meta.uid {
        Some(_) => write(context, names, key, &meta).await,
        None => Ok(()),
    }
}

async fn write(context: &Context, names: &Names, key: &Key, meta: &ObjectMeta) -> Result<(), Error> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), names.namespace(), &key.kind.resource());
    // With the uid the patch fails if this is a new object with the same name.
    let patch = json!({"metadata": {"uid": meta.uid, "ownerReferences": owners(meta, names)}});
    let patched = api
        .patch_metadata(&key.name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    gone_is_fine("hand over", key, patched.map(drop))
}

/// The owners of an object that goes with the route.
pub(crate) fn owners(meta: &ObjectMeta, names: &Names) -> Vec<OwnerReference> {
    let mut owners = other_owners(meta, names);
    owners.push(OwnerReference {
        api_version: asyncmcp_crds::API_VERSION.to_owned(),
        kind: asyncmcp_crds::KIND.to_owned(),
        name: names.route().to_owned(),
        uid: names.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    });
    owners
}

/// The owners of a volume that outlives the route.
pub(crate) fn other_owners(meta: &ObjectMeta, names: &Names) -> Vec<OwnerReference> {
    let owners = meta.owner_references.iter().flatten();
    let others = owners.filter(|owner| owner.uid != names.uid());
    others.cloned().collect()
}
