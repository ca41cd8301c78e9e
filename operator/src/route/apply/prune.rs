//! Removes what a route no longer needs. Called by `apply`.
//!
//! Invariant: only objects that carry our labels *and* the route's uid, or that an earlier route of its name left behind,
//! are pruned. A volume is never among them: it may hold acknowledged jobs.

use super::{Error, Owner, gone_is_fine};
use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::route::build::Children;
use crate::route::context::Context;
use crate::route::subject::Subject;
use kube::api::{Api, DeleteParams, DynamicObject, Preconditions};
use std::collections::BTreeSet;

/// Prunes the children that are no longer needed.
pub(super) async fn unwanted(context: &Context, subject: &Subject, children: &Children) -> Result<(), Error> {
    let wanted: BTreeSet<Key> = children.keys(&subject.names).collect();
    for kind in Kind::PRUNED {
        for meta in context.caches.metas_in(subject.names.namespace(), kind) {
            if let Some(key) = own(&meta, kind, subject).filter(|key| !wanted.contains(key)) {
                delete(context, subject, &key, meta.metadata.uid.clone()).await?;
            }
        }
    }
    Ok(())
}

/// The key of an object that was made for this route, or for an earlier one of its name.
fn own(meta: &Meta, kind: Kind, subject: &Subject) -> Option<Key> {
    let labels = meta.metadata.labels.as_ref()?;
    let ours = labels.get(labels::MANAGED_BY)? == labels::OPERATOR
        && labels.get(labels::INSTANCE)? == subject.names.route()
        && meta.metadata.deletion_timestamp.is_none()
        && matches!(
            Owner::of(&meta.metadata, &subject.names),
            Owner::Route | Owner::Earlier
        );
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
    let namespace = subject.names.namespace();
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), namespace, &key.kind.resource());
    let deleted = api.delete(&key.name, &params).await;
    gone_is_fine("delete", key, deleted.map(drop))
}
