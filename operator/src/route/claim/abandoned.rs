//! Claims and keys that still have our finalizer although their route is gone, because somebody removed the route's own
//! finalizer by hand. Called by `run`, once a minute.
//!
//! Invariant: what is being deleted is let go only with its whole namespace, and keys also after their volume: it may be
//! what `drain` keeps for a rescue.

use super::hold;
use crate::cause;
use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::route::apply;
use crate::route::context::Context;
use crate::route::namespace;
use serde_json::json;
use std::collections::HashSet;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Namespace(#[from] namespace::Error),
    #[error(transparent)]
    Patch(#[from] apply::Error),
}

/// Takes the finalizer off them. A failure is tried again the next time.
pub(crate) async fn let_go(context: &Context) {
    if !context.leadership.holds() {
        return;
    }
    // In this order: a route that is new in between holds nothing that is listed here.
    let held = held(context);
    let routes = context.caches.routes.state();
    let uids: HashSet<&str> = routes
        .iter()
        .filter_map(|route| route.metadata.uid.as_deref())
        .collect();
    for (key, meta) in held.iter().filter(|(_, meta)| !is_used(meta, &uids)) {
        if let Err(error) = one(context, key, meta).await {
            tracing::warn!(object = %key, cause = cause::line(&error), "failed to remove the finalizer");
        }
    }
}

fn held(context: &Context) -> Vec<(Key, std::sync::Arc<Meta>)> {
    let of_kind = |kind| {
        let store = context.caches.metas.get(&kind);
        let held = store
            .map(|store| store.state_filter(hold::is_held))
            .unwrap_or_default();
        held.into_iter().map(move |meta| {
            (
                Key::new(kind, meta.metadata.name.clone().unwrap_or_default()),
                meta,
            )
        })
    };
    [Kind::PersistentVolumeClaim, Kind::Secret]
        .into_iter()
        .flat_map(of_kind)
        .collect()
}

fn is_used(meta: &Meta, routes: &HashSet<&str>) -> bool {
    let holder = meta
        .metadata
        .annotations
        .as_ref()
        .and_then(|marks| marks.get(labels::HELD_BY));
    holder.is_some_and(|uid| routes.contains(uid.as_str()))
}

async fn one(context: &Context, key: &Key, meta: &Meta) -> Result<(), Error> {
    let namespace = meta.metadata.namespace.as_deref().unwrap_or_default();
    let is_deleted = meta.metadata.deletion_timestamp.is_some();
    if is_deleted
        && !has_lost_its_volume(context, namespace, key)
        && !namespace::is_gone(context, namespace).await?
    {
        return Ok(());
    }
    let change = json!({"annotations": {labels::HELD_BY: null}});
    Ok(hold::let_go(context, namespace, key, meta, change).await?)
}

/// Keys whose claim is gone read nothing any more.
fn has_lost_its_volume(context: &Context, namespace: &str, key: &Key) -> bool {
    let claim = key
        .name
        .strip_suffix("-keys")
        .filter(|_| key.kind == Kind::Secret);
    claim.is_some_and(|claim| {
        let claim = Key::new(Kind::PersistentVolumeClaim, claim);
        context.caches.meta(namespace, &claim).is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_used_as_long_as_its_route_exists() {
        let meta: Meta = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"annotations": {labels::HELD_BY: "one"}},
        }))
        .unwrap();
        assert!(is_used(&meta, &["one"].into()));
        assert!(!is_used(&meta, &["two"].into()));
        assert!(!is_used(&meta, &HashSet::new()));
    }
}
