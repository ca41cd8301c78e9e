//! Reads a claim, its keys and its other users from the caches. Called by `resolve` and `drain`.
//!
//! Invariant: it asks no API server, and never for the contents of a Secret.

use super::{Claim, Keys, Live};
use crate::caches::{Caches, RouteObject};
use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::names::Names;
use crate::route::build::pvc;
use crate::route::subject::Subject;
use asyncmcp_crds::v1alpha1::StoreStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// Set on a claim by Kubernetes as soon as it has a volume.
const BOUND: &str = "pv.kubernetes.io/bind-completed";

/// The claim that the route's store is on; `None` for a store without a volume.
pub(crate) fn find(caches: &Caches, subject: &Subject) -> Option<Claim> {
    let name = name(subject)?;
    let namespace = subject.names.namespace();
    let live = caches.meta(namespace, &Key::new(Kind::PersistentVolumeClaim, &name));
    Some(Claim {
        live: live.as_deref().map(|meta| self::live(&meta.metadata)),
        keys: keys(caches, namespace, &name, live.as_deref()),
        user: user(caches, subject, &name, live.as_deref()),
        name,
    })
}

/// The claims that are marked as this route's, and the one that is named after it.
pub(crate) fn held(caches: &Caches, names: &Names) -> Vec<Arc<Meta>> {
    let claims = caches.metas_in(names.namespace(), Kind::PersistentVolumeClaim);
    let is_held = |meta: &Arc<Meta>| {
        meta.metadata.name == Some(names.store())
            || annotation(&meta.metadata, labels::HELD_BY) == Some(names.uid())
    };
    claims.into_iter().filter(is_held).collect()
}

/// The name of the claim. Of a route that cannot be read: the claim that it used last, or would use by default.
pub(crate) fn name(subject: &Subject) -> Option<String> {
    if let Ok(loaded) = &subject.loaded {
        return pvc::name(&subject.names, &asyncmcp_crds::effective(&loaded.route).store);
    }
    let recorded = subject.base.store.as_ref().map(|store| store.claim.clone());
    Some(recorded.unwrap_or_else(|| subject.names.store()))
}

fn live(meta: &ObjectMeta) -> Live {
    Live {
        uid: meta.uid.clone().unwrap_or_default(),
        created: meta.creation_timestamp.as_ref().map(|time| time.0),
        bound: annotation(meta, BOUND).is_some(),
        deleting: meta.deletion_timestamp.is_some(),
        keys_made: annotation(meta, labels::KEYS_MADE).is_some(),
    }
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

fn keys(caches: &Caches, namespace: &str, claim: &str, live: Option<&Meta>) -> Keys {
    if !caches.watches(Kind::Secret) {
        return Keys::Unknown;
    }
    let uid = live.and_then(|claim| claim.metadata.uid.as_deref());
    match caches.meta(namespace, &Key::new(Kind::Secret, Names::keys_of(claim))) {
        None => Keys::Missing,
        Some(meta) if uid.is_some_and(|uid| is_of_another(&meta.metadata, uid)) => Keys::OfAnother,
        Some(meta) if meta.metadata.deletion_timestamp.is_some() => Keys::Deleting,
        Some(_) => Keys::Present,
    }
}

fn is_of_another(secret: &ObjectMeta, claim: &str) -> bool {
    let mut owners = secret.owner_references.iter().flatten();
    owners.any(|owner| owner.kind == Kind::PersistentVolumeClaim.as_str() && owner.uid != claim)
}

/// The other route that uses the claim with the better right: the one that holds it, else the older one.
fn user(caches: &Caches, subject: &Subject, claim: &str, live: Option<&Meta>) -> Option<String> {
    let holder = live.and_then(|meta| annotation(&meta.metadata, labels::HELD_BY));
    let of_namespace = caches
        .routes
        .state_filter(|route| route.metadata.namespace.as_deref() == Some(subject.names.namespace()));
    // A route at its end has let the claim go already.
    let has_let_go = |route: &RouteObject| {
        route.metadata.deletion_timestamp.is_some() && route.metadata.uid.as_deref() != holder
    };
    let is_other = |route: &RouteObject| route.metadata.uid.as_deref() != Some(subject.names.uid());
    let others = of_namespace
        .into_iter()
        .filter(|route| is_other(route) && !has_let_go(route) && uses(route, claim));
    let mine = right(&subject.object, holder);
    others
        .map(|route| {
            (
                right(&route, holder),
                route.metadata.name.clone().unwrap_or_default(),
            )
        })
        .filter(|(right, _)| *right < mine)
        .min()
        .map(|(_, name)| name)
}

/// Whether a route has this claim, according to its spec or its status.
pub(crate) fn uses(route: &RouteObject, claim: &str) -> bool {
    let subject = Subject::read(Arc::new(route.clone()));
    let recorded = subject.base.store.as_ref();
    name(&subject).as_deref() == Some(claim) || recorded.map(|store| store.claim.as_str()) == Some(claim)
}

/// Lower is better.
fn right(route: &RouteObject, holder: Option<&str>) -> (bool, Option<String>, Option<String>) {
    let meta = &route.metadata;
    let created = meta.creation_timestamp.as_ref().map(|time| time.0.to_string());
    (
        meta.uid.as_deref() != holder || holder.is_none(),
        created,
        meta.name.clone(),
    )
}

/// Whether another route asks for the claim.
pub(crate) fn wanted_by_another(caches: &Caches, names: &Names, claim: &str) -> bool {
    let routes = caches.routes.state();
    routes.iter().any(|route| {
        route.metadata.namespace.as_deref() == Some(names.namespace())
            && route.metadata.uid.as_deref() != Some(names.uid())
            && route.metadata.deletion_timestamp.is_none()
            && uses(route, claim)
    })
}

/// What status records once something may be stored on the claim.
pub(crate) fn record(claim: &Claim) -> Option<StoreStatus> {
    let live = claim.live.as_ref().filter(|live| live.bound)?;
    Some(StoreStatus {
        claim: claim.name.clone(),
        uid: live.uid.clone(),
    })
}
