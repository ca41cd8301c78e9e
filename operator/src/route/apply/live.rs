//! Who owns an existing object with the name of a child. Called by `apply`, `resolve` and `drain`.
//!
//! Invariant: an object is the route's only if it carries the route's uid, in a label. One that an earlier route of the
//! same name left behind is taken over, unless its pod still uses a volume that this route does not ask for.

use super::{Error, Problem};
use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::names::Names;
use crate::route::build::Children;
use crate::route::context::Context;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject};

/// The owner of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Route,
    /// An earlier route of the same name, which is gone and left the object behind.
    Earlier,
    /// An earlier route of the same name, with which the object is being deleted.
    Leaving,
    /// Another owner or none, described for a message.
    Other(String),
}

impl Owner {
    /// Reads the owner references, then the labels.
    pub(crate) fn of(meta: &ObjectMeta, names: &Names) -> Self {
        let owners = meta.owner_references.iter().flatten();
        if owners.clone().any(|owner| owner.uid == names.uid()) {
            return Self::Route;
        }
        let mut controllers = owners.filter(|owner| owner.controller == Some(true));
        match controllers.next() {
            Some(owner) if owner.kind == asyncmcp_crds::KIND && owner.name == names.route() => Self::Leaving,
            Some(owner) => Self::Other(format!("is owned by {} {}", owner.kind, owner.name)),
            None => Self::by_label(meta, names),
        }
    }

    fn by_label(meta: &ObjectMeta, names: &Names) -> Self {
        let label = |key| meta.labels.as_ref()?.get(key).map(String::as_str);
        let is_ours = label(labels::MANAGED_BY) == Some(labels::OPERATOR)
            && label(labels::INSTANCE) == Some(names.route());
        match label(labels::ROUTE_UID) {
            _ if !is_ours => Self::Other("is not owned by a route".to_owned()),
            Some(uid) if uid == names.uid() => Self::Route,
            _ => Self::Earlier,
        }
    }
}

/// Every child whose name is taken by an object that the route does not own.
pub(super) async fn foreign(
    context: &Context,
    names: &Names,
    children: &Children,
) -> Result<Vec<Problem>, Error> {
    if let Some(problem) = earlier_store(context, names, children).await? {
        return Ok(vec![problem]);
    }
    let mut problems = Vec::new();
    for key in children.keys(names) {
        let Some(meta) = find(context, names.namespace(), &key).await? else {
            continue;
        };
        problems.extend(problem(&key, &Owner::of(&meta, names)));
    }
    Ok(problems)
}

fn problem(key: &Key, owner: &Owner) -> Option<Problem> {
    let (reason, message) = match owner {
        Owner::Route | Owner::Earlier => return None,
        Owner::Leaving => (
            "Pending",
            format!("waiting until {key} of an earlier route with this name is deleted"),
        ),
        Owner::Other(owner) => (
            "ForeignChild",
            format!(
                "{key} already exists and {owner}; it is not changed. {}",
                way_out(key)
            ),
        ),
    };
    Some(Problem { reason, message })
}

/// Nothing here advises to delete a volume or its keys.
fn way_out(key: &Key) -> String {
    match key.kind {
        Kind::PersistentVolumeClaim => format!(
            "To use what is on it, set store.embedded.existingClaim of a new route to {}; otherwise create the route \
             under another name",
            key.name
        ),
        _ => "Create the route under another name, or move what uses this object to another one".to_owned(),
    }
}

/// The pod of an earlier route of this name, left behind by an orphaning deletion, runs on a volume with its results.
/// Taking the pod over would leave that volume behind without a word.
async fn earlier_store(
    context: &Context,
    names: &Names,
    children: &Children,
) -> Result<Option<Problem>, Error> {
    let key = Key::new(Kind::StatefulSet, names.dataplane());
    let Some(set) = find(context, names.namespace(), &key).await? else {
        return Ok(None);
    };
    if Owner::of(&set, names) != Owner::Earlier {
        return Ok(None);
    }
    let claims = context
        .caches
        .metas_in(names.namespace(), Kind::PersistentVolumeClaim);
    let mut left = claims
        .iter()
        .map(|claim| &claim.metadata)
        .filter(|claim| is_of(claim, &set, names));
    let other = left.find(|claim| claim.name != children.claim);
    Ok(other.map(|claim| left_behind(&key, claim.name.as_deref().unwrap_or_default())))
}

/// Whether a claim is that of the earlier route whose `StatefulSet` this is.
fn is_of(claim: &ObjectMeta, set: &ObjectMeta, names: &Names) -> bool {
    let Some(uid) = set
        .labels
        .as_ref()
        .and_then(|labels| labels.get(labels::ROUTE_UID))
    else {
        return false;
    };
    let holder = claim
        .annotations
        .as_ref()
        .and_then(|marks| marks.get(labels::HELD_BY));
    holder == Some(uid) || claim.name == Some(Names::new(names.namespace(), names.route(), uid).store())
}

fn left_behind(set: &Key, claim: &str) -> Problem {
    let message = format!(
        "{set} of an earlier route with this name, which was deleted with --cascade=orphan, still runs on \
         PersistentVolumeClaim {claim}, which may hold undelivered results. To go on with it, set \
         store.embedded.existingClaim to {claim}. To start with an empty volume, delete {set} first: {claim} stays, and \
         another route can adopt it"
    );
    Problem {
        reason: "EarlierRoute",
        message,
    }
}

/// Asks the API server where a cache holds only objects with our label: another owner's object is not in it.
async fn find(context: &Context, namespace: &str, key: &Key) -> Result<Option<ObjectMeta>, Error> {
    if let Some(meta) = context.caches.meta(namespace, key) {
        return Ok(Some(meta.metadata.clone()));
    }
    if key.kind.watch_selector().is_none() {
        return Ok(None);
    }
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), namespace, &key.kind.resource());
    let found = api.get_metadata_opt(&key.name).await;
    let found = found.map_err(|source| Error::Api {
        verb: "get",
        key: key.clone(),
        source,
    })?;
    Ok(found.map(|meta: Meta| meta.metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn names() -> Names {
        Names::new("tools", "analytics", "u")
    }

    fn owned_by(uid: &str, kind: &str, name: &str) -> Value {
        json!({"ownerReferences": [{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": true}]})
    }

    #[track_caller]
    fn check(meta: Value, expect: &Owner) {
        let meta: ObjectMeta = serde_json::from_value(meta).unwrap();
        assert_eq!(Owner::of(&meta, &names()), *expect, "{meta:?}");
    }

    fn labelled(names: &Names) -> Value {
        json!({"labels": labels::owned(names)})
    }

    #[test]
    fn a_route_owns_an_object_only_by_its_uid() {
        let other = |text: &str| Owner::Other(text.to_owned());
        check(owned_by("u", "McpWebhookRoute", "analytics"), &Owner::Route);
        check(labelled(&names()), &Owner::Route);
        check(
            owned_by("v", "Deployment", "web"),
            &other("is owned by Deployment web"),
        );
        check(json!({}), &other("is not owned by a route"));
        check(
            labelled(&Names::new("tools", "another", "u")),
            &other("is not owned by a route"),
        );
    }

    #[test]
    fn what_an_earlier_route_left_is_told_from_what_leaves_with_it() {
        check(
            labelled(&Names::new("tools", "analytics", "old")),
            &Owner::Earlier,
        );
        check(json!({"labels": labels::all("analytics")}), &Owner::Earlier);
        check(owned_by("old", "McpWebhookRoute", "analytics"), &Owner::Leaving);
    }

    #[test]
    fn the_pod_of_an_earlier_route_is_told_from_its_volume() {
        let old = Names::new("tools", "analytics", "old");
        let set: ObjectMeta = serde_json::from_value(labelled(&old)).unwrap();
        for (claim, expect) in [
            (json!({"name": old.store()}), true),
            (
                json!({"name": "adopted", "annotations": {labels::HELD_BY: "old"}}),
                true,
            ),
            (json!({"name": names().store()}), false),
        ] {
            let claim: ObjectMeta = serde_json::from_value(claim).unwrap();
            assert_eq!(is_of(&claim, &set, &names()), expect, "{claim:?}");
        }
    }

    #[test]
    fn no_message_advises_to_delete_a_volume() {
        for kind in Kind::ALL {
            let key = Key::new(kind, "x");
            let problem = problem(&key, &Owner::Other("is not owned by a route".to_owned())).unwrap();
            assert!(
                !problem.message.to_lowercase().contains("delete"),
                "{}",
                problem.message
            );
        }
        let message = left_behind(&Key::new(Kind::StatefulSet, "x"), "the-claim").message;
        assert!(message.contains("existingClaim to the-claim"), "{message}");
        assert!(!message.contains("delete PersistentVolumeClaim") && !message.contains("delete the-claim"));
    }
}
