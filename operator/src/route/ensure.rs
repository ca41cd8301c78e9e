//! Third step of a reconcile: what is made once in a route's life. The finalizer, then the keys.
//!
//! Invariant: a route has its finalizer before it has anything that could accept a call; keys are never overwritten.

use super::build::keys::{self, Chance};
use super::subject::Subject;
use crate::context::Context;
use crate::controller::route_resource;
use crate::kinds::{Key, Kind};
use crate::names::Names;
use asyncmcp_crds::DRAIN_FINALIZER;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

/// What could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The route's finalizers were not changed.
    #[error("failed to change the finalizers of the route")]
    Finalizer(#[source] kube::Error),
    /// The Secret was not made.
    #[error("failed to create Secret {0}")]
    Keys(String, #[source] kube::Error),
}

/// Makes deletion wait for this operator.
pub async fn finalizer(context: &Context, subject: &Subject) -> Result<(), Error> {
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

/// Lets the route go; `false` where it went before, and only the cache still shows it.
pub async fn no_finalizer(context: &Context, subject: &Subject) -> Result<bool, Error> {
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

/// The list is replaced as a whole, so the version that was read must still be the one that is there.
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

/// Makes the Secret with the keys, unless there is one. `exist` remembers that there is.
pub async fn keys(context: &Context, subject: &Subject, exist: &mut bool) -> Result<(), Error> {
    let names = &subject.names;
    if are_known(context, names, *exist) {
        return Ok(());
    }
    let chance = Chance {
        sessions: rand::random(),
        store: rand::random(),
        token: rand::random(),
    };
    let api: Api<Secret> = Api::namespaced(context.client.clone(), names.namespace());
    match api
        .create(&PostParams::default(), &keys::build(names, &chance))
        .await
    {
        Ok(_) => {}
        // Made earlier, or somebody else's: `apply` looks.
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(Error::Keys(names.keys(), error)),
    }
    *exist = true;
    Ok(())
}

/// A watch knows best, and sees when somebody deletes them; without one it is enough to have made them.
fn are_known(context: &Context, names: &Names, exist: bool) -> bool {
    let key = Key::new(Kind::Secret, names.keys());
    if context.caches.watches(Kind::Secret) {
        return context.caches.meta(names.namespace(), &key).is_some();
    }
    exist
}
