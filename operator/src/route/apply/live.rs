//! Who owns an existing object with the name of a child. Called by `apply`.
//!
//! Invariant: the route owns an object only if its owner reference carries the route's uid.

use super::{Error, Problem};
use crate::kinds::{Key, Meta};
use crate::names::Names;
use crate::route::build::Children;
use crate::route::context::Context;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject};

/// The owner of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Route,
    /// Another owner or none, described for a message.
    Other(String),
}

impl Owner {
    /// Reads the owner references.
    pub(crate) fn of(meta: &ObjectMeta, uid: &str) -> Self {
        let owners = meta.owner_references.iter().flatten();
        if owners.clone().any(|owner| owner.uid == uid) {
            return Self::Route;
        }
        let mut controllers = owners.filter(|owner| owner.controller == Some(true));
        Self::Other(match controllers.next() {
            Some(owner) => format!("is owned by {} {}", owner.kind, owner.name),
            None => "is not owned by a route".to_owned(),
        })
    }
}

/// Every child whose name is taken by an object that the route does not own.
pub(super) async fn foreign(
    context: &Context,
    names: &Names,
    children: &Children,
) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for key in children.keys(names) {
        let Some(meta) = find(context, names.namespace(), &key).await? else {
            continue;
        };
        if let Owner::Other(owner) = Owner::of(&meta, names.uid()) {
            let message = format!("{key} already exists and {owner}; it is not changed. Rename or delete it");
            problems.push(Problem {
                reason: "ForeignChild",
                message,
            });
        }
    }
    Ok(problems)
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
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    fn owned_by(uid: &str) -> ObjectMeta {
        let owner = OwnerReference {
            uid: uid.to_owned(),
            kind: "Deployment".to_owned(),
            name: "web".to_owned(),
            controller: Some(true),
            ..OwnerReference::default()
        };
        ObjectMeta {
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn a_route_owns_an_object_only_by_its_uid() {
        assert_eq!(Owner::of(&owned_by("u"), "u"), Owner::Route);
        assert_eq!(
            Owner::of(&owned_by("v"), "u"),
            Owner::Other("is owned by Deployment web".to_owned())
        );
        let nobody = Owner::of(&ObjectMeta::default(), "u");
        assert_eq!(nobody, Owner::Other("is not owned by a route".to_owned()));
    }
}
