//! Removes what a route no longer needs. Called by `apply`, and by `drain` for a volume that must be kept.
//!
//! Invariant: only objects that carry our labels *and* the route's uid as owner are pruned. A volume is never deleted
//! here: it may hold acknowledged jobs, so it only loses its owner reference.

use super::{Error, Owner};
use crate::events::Note;
use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::route::build::Children;
use crate::route::context::Context;
use crate::route::subject::Subject;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::json;
use std::collections::BTreeSet;

/// Prunes the children that are no longer needed.
pub(super) async fn unwanted(context: &Context, subject: &Subject, children: &Children) -> Result<(), Error> {
    let wanted: BTreeSet<Key> = children.keys(&subject.names).collect();
    for kind in Kind::PRUNED {
        for meta in context.caches.metas_in(subject.names.namespace(), kind) {
            let Some(key) = own(&meta, kind, subject).filter(|key| !wanted.contains(key)) else {
                continue;
            };
            match kind {
                Kind::PersistentVolumeClaim => {
                    release(context, subject, &key).await?;
                    let note = Note::normal(
                        "StoreKept",
                        format!("the route no longer uses {key}; the volume is kept, without an owner"),
                    );
                    context.recorder.record(&subject.reference(), &[note]).await;
                }
                _ => delete(context, subject, &key, meta.metadata.uid.clone()).await?,
            }
        }
    }
    Ok(())
}

/// The key of an object that was made for this route.
fn own(meta: &Meta, kind: Kind, subject: &Subject) -> Option<Key> {
    let labels = meta.metadata.labels.as_ref()?;
    let ours = labels.get(labels::MANAGED_BY)? == labels::OPERATOR
        && labels.get(labels::INSTANCE)? == subject.names.route()
        && meta.metadata.deletion_timestamp.is_none()
        && Owner::of(&meta.metadata, subject.names.uid()) == Owner::Route;
    ours.then(|| Key::new(kind, meta.metadata.name.clone().unwrap_or_default()))
}

async fn delete(context: &Context, subject: &Subject, key: &Key, uid: Option<String>) -> Result<(), Error> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            resource_version: None,
        }),
        ..DeleteParams::background()
    };
    let deleted = api(context, subject, key).delete(&key.name, &params).await;
    gone_is_fine("delete", key, deleted.map(drop))
}

/// Removes the owner reference, so that the object outlives the route.
pub(crate) async fn release(context: &Context, subject: &Subject, key: &Key) -> Result<(), Error> {
    let patch = json!({"metadata": {"ownerReferences": null}});
    let released = api(context, subject, key)
        .patch_metadata(&key.name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    gone_is_fine("release", key, released.map(drop))
}

fn gone_is_fine(verb: &'static str, key: &Key, outcome: Result<(), kube::Error>) -> Result<(), Error> {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(Error::Api {
            verb,
            key: key.clone(),
            source,
        }),
        Ok(()) => Ok(()),
    }
}

fn api(context: &Context, subject: &Subject, key: &Key) -> Api<DynamicObject> {
    Api::namespaced_with(
        context.client.clone(),
        subject.names.namespace(),
        &key.kind.resource(),
    )
}
