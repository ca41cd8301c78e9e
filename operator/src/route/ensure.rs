//! Third step of a reconcile: what is created once per route. The finalizer first; the keys when the objects that own
//! them exist, the pods' `ServiceAccount` and the volume's claim.
//!
//! Invariant: a route has its finalizer before it has anything that could accept a call; keys are never overwritten, and
//! those of a volume are created once in its life.

use super::apply;
use super::build::keys::{self, RandomBytes};
use super::claim::{Claim, Keys, hold};
use super::context::Context;
use super::subject::Subject;
use crate::kinds::{Key, Kind, route_resource};
use crate::names::Names;
use asyncmcp_crds::DRAIN_FINALIZER;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeSet;

/// What could not be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The route's finalizers were not changed.
    #[error("failed to change the finalizers of the route")]
    Finalizer(#[source] kube::Error),
    /// The Secret was not created.
    #[error("failed to create Secret {0}")]
    Keys(String, #[source] kube::Error),
    /// The claim or its keys were not marked.
    #[error("failed to mark the volume as the route's")]
    Hold(#[source] apply::Error),
}

/// Adds the finalizer, so that deletion waits for this operator.
pub(crate) async fn add_finalizer(context: &Context, subject: &Subject) -> Result<(), Error> {
    if subject.has_finalizer() || subject.deleted_at.is_some() {
        return Ok(());
    }
    let present = subject.object.metadata.finalizers.iter().flatten().cloned();
    set_finalizers(
        context,
        subject,
        present.chain([DRAIN_FINALIZER.to_owned()]).collect(),
    )
    .await
}

/// Removes the finalizer; `false` if the route is already gone and only the cache still has it.
pub(crate) async fn remove_finalizer(context: &Context, subject: &Subject) -> Result<bool, Error> {
    let present = subject.object.metadata.finalizers.iter().flatten();
    let others = present
        .filter(|finalizer| *finalizer != DRAIN_FINALIZER)
        .cloned()
        .collect();
    match set_finalizers(context, subject, others).await {
        Ok(()) => Ok(true),
        Err(Error::Finalizer(kube::Error::Api(status))) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

/// The list is replaced as a whole, so the patch carries the version that was read.
async fn set_finalizers(context: &Context, subject: &Subject, finalizers: Vec<String>) -> Result<(), Error> {
    let names = &subject.names;
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), names.namespace(), &route_resource());
    let version = &subject.object.metadata.resource_version;
    let patch = json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
    let patched = api
        .patch_metadata(names.route(), &PatchParams::default(), &Patch::Merge(patch))
        .await;
    patched.map(drop).map_err(Error::Finalizer)
}

/// Creates the Secret with the route's keys, unless it exists. An owner that does not exist yet enqueues the route when it
/// is created; until then the pod waits for both.
pub(crate) async fn keys(
    context: &Context,
    subject: &Subject,
    made: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let names = &subject.names;
    let account = Key::new(Kind::ServiceAccount, names.dataplane());
    let account = context.caches.meta(names.namespace(), &account);
    let Some(account) = account.and_then(|meta| meta.metadata.uid.clone()) else {
        return Ok(());
    };
    create(context, names, names.keys(), made, || {
        let random = RandomBytes {
            sessions: rand::random(),
            token: rand::random(),
            view: rand::random(),
        };
        keys::of_route(names, &account, &random)
    })
    .await
}

/// Creates the Secret with the volume's keys, unless it was created before, and marks both as the route's. A key that is
/// lost is not replaced: nothing could read what is on the volume with another one.
pub(crate) async fn volume_keys(
    context: &Context,
    subject: &Subject,
    claim: Option<&Claim>,
    made: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let names = &subject.names;
    let Some((claim, live)) = claim.and_then(|claim| Some((claim, claim.live.as_ref()?))) else {
        return Ok(());
    };
    let owner = keys::Claim {
        name: claim.name.clone(),
        uid: live.uid.clone(),
        held: context.caches.watches(Kind::Secret),
    };
    if claim.keys == Keys::OfAnother && !live.keys_made {
        return hold::drop_keys(context, names, &owner).await.map_err(Error::Hold);
    }
    if !live.keys_made {
        let build = || keys::of_claim(names, &owner, rand::random(), &rand::random());
        create(context, names, Names::keys_of(&claim.name), made, build).await?;
    }
    hold::take(context, names, &owner).await.map_err(Error::Hold)
}

/// Creates a Secret unless it exists, and remembers in `made` that it does.
async fn create(
    context: &Context,
    names: &Names,
    name: String,
    made: &mut BTreeSet<String>,
    build: impl FnOnce() -> Secret,
) -> Result<(), Error> {
    if is_known(context, names, &name, made) {
        return Ok(());
    }
    let api: Api<Secret> = Api::namespaced(context.client.clone(), names.namespace());
    match api.create(&PostParams::default(), &build()).await {
        Ok(_) => {}
        // Created earlier, or by somebody else. `apply` checks the route's; a volume's may have been restored by hand.
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(Error::Keys(name, error)),
    }
    made.insert(name);
    Ok(())
}

/// A watch also sees deletions; without one, having created the Secret is enough.
fn is_known(context: &Context, names: &Names, name: &str, made: &BTreeSet<String>) -> bool {
    let key = Key::new(Kind::Secret, name);
    if context.caches.watches(Kind::Secret) {
        return context.caches.meta(names.namespace(), &key).is_some();
    }
    made.contains(name)
}
