//! Deletion: the route's deliveries are finished first. The document that pods serve carries `deletionTimestamp`; they
//! refuse new calls, finish the calls they accepted, and report it.
//!
//! Invariant: a volume with acknowledged, undelivered jobs is never deleted with its route.

use super::apply::{self, Owner, release};
use super::context::Context;
use super::ensure;
use super::feedback::Observed;
use super::resolve::Written;
use super::subject::Subject;
use super::validate::{self, Valid};
use crate::events::Note;
use crate::kinds::{Key, Kind};
use asyncmcp_crds::effective;
use asyncmcp_crds::v1alpha1::DeletionPolicy;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::Api;
use std::sync::Arc;

/// Why a step failed; it is retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The namespace was not read.
    #[error("failed to read namespace {0}")]
    Namespace(String, #[source] kube::Error),
    /// The volume was not released.
    #[error("failed to remove the owner of the route's volume")]
    Volume(#[source] apply::Error),
    /// The finalizer was not removed.
    #[error("failed to remove the route's finalizer")]
    Finalizer(#[source] ensure::Error),
}

/// Why a deleted route stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every pod is draining and has no unfinished job.
    Drained,
    /// No pod ever served it.
    NeverServed,
    /// Its deletion policy is not to wait.
    Abandoned,
    /// The user asked to keep its children (orphan deletion).
    Orphaned,
    /// `deletion.timeout` has passed since the deletion began.
    TimedOut,
    /// Its namespace is being deleted.
    NamespaceGone,
}

/// The facts the decision depends on.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    /// `spec.deletion`, with its defaults filled in.
    pub(crate) deletion: &'a effective::Deletion,
    /// When its deletion began.
    pub(crate) deleted_at: Timestamp,
    /// The user asked to keep the children, or they are already without an owner.
    pub(crate) orphaning: bool,
    /// The namespace is being deleted.
    pub(crate) namespace_gone: bool,
    /// Every pod has served the route at least once.
    pub(crate) was_served: bool,
    pub(crate) pods: &'a [Observed],
}

/// Whether the wait is over.
pub(crate) fn decide(situation: &Situation<'_>, now: Timestamp) -> Option<End> {
    let timeout = SignedDuration::try_from(situation.deletion.timeout).unwrap_or(SignedDuration::MAX);
    if situation.orphaning {
        return Some(End::Orphaned);
    }
    if situation.deletion.policy == DeletionPolicy::Abandon {
        return Some(End::Abandoned);
    }
    if situation.namespace_gone {
        return Some(End::NamespaceGone);
    }
    if !situation.was_served
        && situation
            .pods
            .iter()
            .all(|pod| pod.report.is_none() && !pod.pod.ready)
    {
        return Some(End::NeverServed);
    }
    if !situation.pods.is_empty() && situation.pods.iter().all(is_drained) {
        return Some(End::Drained);
    }
    (now.duration_since(situation.deleted_at) >= timeout).then_some(End::TimedOut)
}

fn is_drained(observed: &Observed) -> bool {
    let report = observed.report.as_ref().filter(|_| observed.trusted);
    report.is_some_and(|report| report.draining && report.delivery.pending == 0)
}

/// Undelivered jobs; `None` if unknown.
fn undelivered(pods: &[Observed]) -> Option<i64> {
    if pods.is_empty() {
        return None;
    }
    pods.iter()
        .map(|observed| observed.report.as_ref().map(|report| report.delivery.pending))
        .sum()
}

/// Whether the volume has to be kept.
fn keeps_volume(end: End, undelivered: Option<i64>) -> bool {
    match end {
        End::NeverServed | End::NamespaceGone | End::Orphaned | End::Drained => false,
        // An unknown number may be more than 0.
        End::TimedOut => undelivered.is_none_or(|jobs| jobs > 0),
        End::Abandoned => undelivered.is_some_and(|jobs| jobs > 0),
    }
}

/// Whether a deleted route stops waiting, and why.
pub(crate) async fn end(
    context: &Context,
    subject: &Subject,
    pods: &[Observed],
    written: Option<&Written>,
) -> Result<Option<End>, Error> {
    let Some(deleted_at) = subject.deleted_at else {
        return Ok(None);
    };
    let situation = Situation {
        deletion: &deletion(subject),
        deleted_at,
        orphaning: subject.is_orphaning() || is_config_map_lost(context, subject),
        namespace_gone: is_namespace_gone(context, subject.names.namespace()).await?,
        was_served: written.is_some_and(|written| written.last.is_some()),
        pods,
    };
    Ok(decide(&situation, Timestamp::now()))
}

/// The last accepted version of a deleted route that is now invalid, so that its pods learn of the deletion too.
pub(crate) fn last_accepted(subject: &Subject, written: Option<&Written>) -> Option<Valid> {
    subject.deleted_at?;
    let served = written?.current.as_ref()?;
    let mut object: serde_json::Value = serde_json::from_str(&served.json).ok()?;
    object["metadata"]["deletionTimestamp"] = serde_json::json!(subject.object.metadata.deletion_timestamp);
    let object = serde_json::from_value(object).ok()?;
    validate::route(&Subject::read(Arc::new(object))).ok()
}

/// Keeps the volume if it must, removes the finalizer, and then writes one Event about it.
pub(crate) async fn finish(
    context: &Context,
    subject: &Subject,
    end: End,
    pods: &[Observed],
) -> Result<(), Error> {
    let undelivered = undelivered(pods);
    let note = if keeps_volume(end, undelivered) {
        Some(keep(context, subject, undelivered).await?)
    } else {
        None
    };
    let removed = ensure::remove_finalizer(context, subject)
        .await
        .map_err(Error::Finalizer)?;
    if let Some(note) = note.filter(|_| removed) {
        context.recorder.record(&subject.reference(), &[note]).await;
    }
    tracing::info!(
        route = subject.names.route(),
        namespace = subject.names.namespace(),
        ?end,
        ?undelivered,
        "removed the route's finalizer"
    );
    Ok(())
}

async fn keep(context: &Context, subject: &Subject, undelivered: Option<i64>) -> Result<Note, Error> {
    let jobs = undelivered.map_or_else(|| "unknown".to_owned(), |jobs| jobs.to_string());
    let ended = format!("the route was deleted before everything was delivered; undelivered jobs: {jobs}");
    let key = Key::new(Kind::PersistentVolumeClaim, subject.names.store());
    if context.caches.meta(subject.names.namespace(), &key).is_none() {
        return Ok(Note::warning("JobsLeft", ended));
    }
    release(context, subject, &key).await.map_err(Error::Volume)?;
    let adopt = "to use it again, set store.embedded.existingClaim of a new route to its name";
    Ok(Note::warning(
        "StoreKept",
        format!("{ended}. {key} is kept; {adopt}"),
    ))
}

/// The route no longer owns the ConfigMap: the garbage collector has already removed the owner references, so pods can
/// no longer be given a new document.
fn is_config_map_lost(context: &Context, subject: &Subject) -> bool {
    let key = Key::new(Kind::ConfigMap, subject.names.config_map());
    let meta = context.caches.meta(subject.names.namespace(), &key);
    meta.is_some_and(|meta| Owner::of(&meta.metadata, subject.names.uid()) != Owner::Route)
}

async fn is_namespace_gone(context: &Context, namespace: &str) -> Result<bool, Error> {
    let api: Api<Namespace> = Api::all(context.client.clone());
    let found = api.get_metadata_opt(namespace).await;
    let found = found.map_err(|source| Error::Namespace(namespace.to_owned(), source))?;
    Ok(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

/// A route that cannot be read is drained like one without `spec.deletion`.
fn deletion(subject: &Subject) -> effective::Deletion {
    match &subject.loaded {
        Ok(loaded) => asyncmcp_crds::effective(&loaded.route).deletion,
        Err(_) => effective::Deletion {
            policy: DeletionPolicy::Drain,
            timeout: UNREADABLE_TIMEOUT,
        },
    }
}

/// The default of `deletion.timeout`.
const UNREADABLE_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(10);

#[cfg(test)]
mod tests;
