//! Reads a claim, its keys and its other users from the caches. Called by `resolve` and `drain`.
//!
//! Invariant: it asks no API server, and never for the contents of a Secret.

use super::{Claim, Keys, Live};
use crate::caches::{Caches, RouteObject};
use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::names::Names;
use crate::route::apply::Owner;
use crate::route::build::pvc;
use crate::route::subject::Subject;
use asyncmcp_crds::v1alpha1::StoreStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

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

/// The claims that the route uses: those that are marked, and its own, which may not be marked yet.
pub(crate) fn held(caches: &Caches, names: &Names) -> Vec<Arc<Meta>> {
    let claims = caches.metas_in(names.namespace(), Kind::PersistentVolumeClaim);
    let is_held = |claim: &Arc<Meta>| is_of(&claim.metadata, names);
    claims.into_iter().filter(is_held).collect()
}

/// A claim of somebody else may have the name of the route's own.
fn is_of(claim: &ObjectMeta, names: &Names) -> bool {
    let is_own = || claim.name == Some(names.store()) && Owner::of(claim, names) == Owner::Route;
    annotation(claim, labels::HELD_BY) == Some(names.uid()) || is_own()
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
        bound: annotation(meta, labels::BOUND).is_some(),
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

/// Whether a route has this claim, according to its spec or its status. All routes of a namespace are looked at in each
/// reconcile, so none is parsed.
fn uses(route: &RouteObject, claim: &str) -> bool {
    let recorded = &route.data["status"]["store"]["claim"];
    let store = &route.data["spec"]["store"];
    let asked = &store["embedded"]["existingClaim"];
    let meta = &route.metadata;
    let [namespace, name, uid] =
        [&meta.namespace, &meta.name, &meta.uid].map(|text| text.as_deref().unwrap_or_default());
    let is_own = || {
        asked.is_null()
            && store["memory"].is_null()
            && claim.starts_with(name)
            && Names::new(namespace, name, uid).store() == claim
    };
    recorded == claim || asked == claim || is_own()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_claim_is_in_the_cache() {
        let marks =
            [labels::BOUND, labels::KEYS_MADE, labels::HELD_BY].map(|key| (key.to_owned(), "u".to_owned()));
        let mut cached = ObjectMeta {
            annotations: Some(marks.into()),
            ..ObjectMeta::default()
        };
        labels::trim(&mut cached);
        let live = live(&cached);
        assert!(live.bound && live.keys_made);
        assert_eq!(annotation(&cached, labels::HELD_BY), Some("u"));
    }
    use crate::route::fixture;
    use serde_json::json;

    #[test]
    fn a_route_uses_the_claim_of_its_spec_and_that_of_its_status() {
        let own = fixture::valid(&fixture::minimal()).names.store();
        let route = |store: serde_json::Value, status: serde_json::Value| -> RouteObject {
            let mut object = fixture::object(&fixture::minimal());
            object["spec"]["store"] = store;
            object["status"] = status;
            serde_json::from_value(object).unwrap()
        };
        let adopting = route(json!({"embedded": {"existingClaim": "c"}}), json!({}));
        assert!(uses(&adopting, "c") && !uses(&adopting, &own));
        let plain = route(json!({"embedded": {}}), json!({}));
        assert!(uses(&plain, &own) && !uses(&plain, "c"));
        assert!(!uses(&route(json!({"memory": {}}), json!({})), &own));
        let moved = route(
            json!({"memory": {}}),
            json!({"store": {"claim": "c", "uid": "u"}}),
        );
        assert!(uses(&moved, "c"));
    }

    #[test]
    fn the_holder_of_a_claim_has_the_better_right_then_the_older_route() {
        let route = |name: &str, uid: &str, created: &str| -> RouteObject {
            let mut object = fixture::object(&fixture::minimal());
            object["metadata"]["name"] = json!(name);
            object["metadata"]["uid"] = json!(uid);
            object["metadata"]["creationTimestamp"] = json!(created);
            serde_json::from_value(object).unwrap()
        };
        let older = route("older", "1", "2026-11-28T00:00:00Z");
        let younger = route("younger", "2", "2026-11-28T00:00:01Z");
        assert!(right(&older, None) < right(&younger, None));
        assert!(right(&older, Some("gone")) < right(&younger, Some("gone")));
        assert!(right(&younger, Some("2")) < right(&older, Some("2")));
    }

    #[test]
    fn a_claim_of_somebody_else_with_the_name_of_the_routes_own_is_left_alone() {
        let names = fixture::valid(&fixture::minimal()).names;
        let claim = |meta: serde_json::Value| serde_json::from_value::<ObjectMeta>(meta).unwrap();
        assert!(!is_of(&claim(json!({"name": names.store()})), &names));
        let own = json!({"name": names.store(), "labels": labels::owned(&names)});
        assert!(is_of(&claim(own), &names));
        let adopted = json!({"name": "c", "annotations": {labels::HELD_BY: names.uid()}});
        assert!(is_of(&claim(adopted), &names));
    }

    #[test]
    fn keys_of_an_earlier_claim_of_the_same_name_are_told_apart() {
        let secret = |uid: &str| -> ObjectMeta {
            let owner = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "c", "uid": uid});
            serde_json::from_value(json!({"ownerReferences": [owner]})).unwrap()
        };
        assert!(is_of_another(&secret("old"), "new") && !is_of_another(&secret("new"), "new"));
        assert!(!is_of_another(&ObjectMeta::default(), "new"), "restored by hand");
    }
}
