//! Keeps a claim and the Secret with its volume's keys while a route uses them: a finalizer on each, so that a deletion
//! waits until the route is drained. Called by `ensure` and, at the end, by `drain` and `abandoned`.
//!
//! Invariant: what is being deleted is let go only if nothing on it is to be kept.

use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::names::Names;
use crate::route::apply::{Error, gone_is_fine};
use crate::route::build::keys;
use crate::route::context::Context;
use asyncmcp_crds::STORE_FINALIZER;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

/// Marks a claim and its keys as the route's, unless they are marked. Keys that the cache does not have yet are about to
/// be there: with a mark on the claim alone, they would seem to be lost.
pub(crate) async fn take(context: &Context, names: &Names, claim: &keys::Claim) -> Result<(), Error> {
    let namespace = names.namespace();
    let secret = Key::new(Kind::Secret, Names::keys_of(&claim.name));
    let keys = context.caches.meta(namespace, &secret);
    if context.caches.watches(Kind::Secret) && keys.is_none() {
        return Ok(());
    }
    let marks = [(labels::HELD_BY, names.uid()), (labels::KEYS_MADE, "made")];
    if let Some(meta) = keys
        && let Some(change) = owned(&meta.metadata, claim, marked(&meta.metadata, &marks[..1]))
    {
        unless_stale(write(context, namespace, &secret, patch(&meta.metadata, change)).await)?;
    }
    let key = Key::new(Kind::PersistentVolumeClaim, &claim.name);
    if let Some(meta) = context.caches.meta(namespace, &key)
        && let Some(change) = marked(&meta.metadata, &marks)
    {
        unless_stale(write(context, namespace, &key, patch(&meta.metadata, change)).await)?;
    }
    Ok(())
}

/// The version in the cache is not the newest: its successor is on the way, and enqueues the route again.
fn unless_stale(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::Api {
            source: kube::Error::Api(status),
            ..
        }) if status.code == 409 => Ok(()),
        written => written,
    }
}

/// The change that marks an object; `None` if it is marked. Nothing can be added to an object that is being deleted.
fn marked(meta: &ObjectMeta, marks: &[(&str, &str)]) -> Option<Value> {
    let has = |(key, value): &(&str, &str)| {
        let annotations = meta.annotations.as_ref();
        annotations
            .and_then(|annotations| annotations.get(*key))
            .map(String::as_str)
            == Some(*value)
    };
    if meta.deletion_timestamp.is_some() || (has_finalizer(meta) && marks.iter().all(has)) {
        return None;
    }
    let others = others(meta);
    let finalizers: Vec<&str> = others.into_iter().chain([STORE_FINALIZER]).collect();
    let annotations: Value = marks
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    Some(json!({"finalizers": finalizers, "annotations": annotations}))
}

/// The change with which keys that a person restored belong to the claim again, and go with it one day.
fn owned(meta: &ObjectMeta, claim: &keys::Claim, change: Option<Value>) -> Option<Value> {
    let mut change = change?;
    if meta.owner_references.as_ref().is_none_or(Vec::is_empty) {
        change["ownerReferences"] = json!([keys::owner_of(claim)]);
    }
    Some(change)
}

/// Lets the keys go that belong to a lost claim whose place a new, empty one has taken. Its own are created after that.
pub(crate) async fn drop_keys(context: &Context, names: &Names, claim: &keys::Claim) -> Result<(), Error> {
    let key = Key::new(Kind::Secret, Names::keys_of(&claim.name));
    match context.caches.meta(names.namespace(), &key) {
        Some(meta) if claim.name == names.store() && is_held(&meta) => {
            let_go(context, names.namespace(), &key, &meta, json!({})).await
        }
        _ => Ok(()),
    }
}

/// Whether an object has our finalizer.
pub(crate) fn is_held(meta: &Meta) -> bool {
    has_finalizer(&meta.metadata)
}

fn has_finalizer(meta: &ObjectMeta) -> bool {
    let mut finalizers = meta.finalizers.iter().flatten();
    finalizers.any(|finalizer| finalizer == STORE_FINALIZER)
}

/// Takes our finalizer off an object, and makes more changes to its metadata in the same step.
pub(crate) async fn let_go(
    context: &Context,
    namespace: &str,
    key: &Key,
    meta: &Meta,
    mut change: Value,
) -> Result<(), Error> {
    change["finalizers"] = json!(others(&meta.metadata));
    write(context, namespace, key, patch(&meta.metadata, change)).await
}

/// Every finalizer but ours.
fn others(meta: &ObjectMeta) -> Vec<&str> {
    let finalizers = meta.finalizers.iter().flatten().map(String::as_str);
    finalizers
        .filter(|finalizer| *finalizer != STORE_FINALIZER)
        .collect()
}

/// Lists are replaced as a whole, so the patch carries the version that was read.
fn patch(meta: &ObjectMeta, mut change: Value) -> Value {
    change["resourceVersion"] = json!(meta.resource_version);
    change["uid"] = json!(meta.uid);
    json!({"metadata": change})
}

async fn write(context: &Context, namespace: &str, key: &Key, patch: Value) -> Result<(), Error> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), namespace, &key.kind.resource());
    let written = api
        .patch_metadata(&key.name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    gone_is_fine("mark", key, written.map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(finalizers: &[&str], deleting: bool) -> ObjectMeta {
        serde_json::from_value(json!({
            "uid": "u",
            "resourceVersion": "7",
            "finalizers": finalizers,
            "annotations": {labels::HELD_BY: "r"},
            "deletionTimestamp": deleting.then_some("2026-11-28T00:00:00Z"),
        }))
        .unwrap()
    }

    #[test]
    fn a_finalizer_of_others_stays_and_ours_is_added_once() {
        let marks = [(labels::HELD_BY, "r")];
        let unmarked = meta(&["other"], false);
        let change = marked(&unmarked, &marks).unwrap();
        assert_eq!(change["finalizers"], json!(["other", STORE_FINALIZER]));
        assert_eq!(patch(&unmarked, change)["metadata"]["resourceVersion"], "7");
        assert!(marked(&meta(&[STORE_FINALIZER], false), &marks).is_none());
        assert!(marked(&meta(&[STORE_FINALIZER], false), &[(labels::HELD_BY, "another")]).is_some());
        assert!(
            marked(&meta(&[], true), &marks).is_none(),
            "nothing can be added any more"
        );
        assert_eq!(others(&meta(&["other", STORE_FINALIZER], true)), ["other"]);
    }

    #[test]
    fn keys_that_a_person_restored_belong_to_the_claim_again() {
        let claim = keys::Claim {
            name: "c".to_owned(),
            uid: "u-1".to_owned(),
            held: true,
        };
        let change = |meta: &ObjectMeta| owned(meta, &claim, marked(meta, &[]));
        let restored = change(&meta(&[], false)).unwrap();
        assert_eq!(restored["ownerReferences"][0]["uid"], "u-1");
        let mut kept = meta(&[], false);
        kept.owner_references = Some(vec![keys::owner_of(&claim)]);
        assert!(change(&kept).unwrap().get("ownerReferences").is_none());
    }
}
