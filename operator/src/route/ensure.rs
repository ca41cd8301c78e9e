//! Third step of a reconcile: what is created once per route. The finalizer, then the keys; the volume's keys follow
//! when its claim exists.
//!
//! Invariant: a route has its finalizer before it has anything that could accept a call; keys are never overwritten.

use super::build::keys::{self, Claim, RandomBytes};
use super::build::pvc;
use super::context::Context;
use super::subject::Subject;
use crate::kinds::{Key, Kind, route_resource};
use crate::names::Names;
use asyncmcp_crds::DRAIN_FINALIZER;
use asyncmcp_crds::effective::Store;
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

/// Creates the Secret with the route's keys, unless it exists.
pub(crate) async fn keys(
    context: &Context,
    subject: &Subject,
    made: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let names = &subject.names;
    create(context, names, names.keys(), made, || {
        let random = RandomBytes {
            sessions: rand::random(),
            token: rand::random(),
        };
        keys::of_route(names, &random)
    })
    .await
}

/// Creates the Secret with the volume's keys, unless it exists. A claim that does not exist yet enqueues the route when
/// it is created; until then the pod waits for both.
pub(crate) async fn volume_keys(
    context: &Context,
    subject: &Subject,
    store: &Store,
    made: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let names = &subject.names;
    let Some(claim) = claim(context, names, store) else {
        return Ok(());
    };
    create(context, names, Names::keys_of(&claim.name), made, || {
        keys::of_claim(names, &claim, rand::random(), &rand::random())
    })
    .await
}

fn claim(context: &Context, names: &Names, store: &Store) -> Option<Claim> {
    let name = pvc::name(names, store)?;
    let key = Key::new(Kind::PersistentVolumeClaim, name);
    let uid = context
        .caches
        .meta(names.namespace(), &key)?
        .metadata
        .uid
        .clone()?;
    Some(Claim { name: key.name, uid })
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
