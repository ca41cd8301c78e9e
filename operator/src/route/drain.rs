//! Deletion: the route's deliveries are finished first. The document that pods serve carries `deletionTimestamp`; they
//! refuse new calls, finish what they hold, and say so.
//!
//! Invariant: a volume that holds acknowledged, undelivered jobs never goes with its route.

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

/// What could not be done; tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Is the namespace going away?
    #[error("failed to read namespace {0}")]
    Namespace(String, #[source] kube::Error),
    /// The volume was not released.
    #[error("failed to keep the route's volume")]
    Volume(#[source] apply::Error),
    /// The route was not let go.
    #[error("failed to let the route go")]
    Finalizer(#[source] ensure::Error),
}

/// Why a route need not wait any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every pod drains and holds nothing.
    Drained,
    /// No pod ever served it.
    NeverServed,
    /// Its policy says so.
    Abandoned,
    /// Its children were asked to stay behind as they are.
    Orphaned,
    /// Its time is up.
    TimedOut,
    /// Its namespace is going away.
    NamespaceGone,
}

/// What the decision rests on.
#[derive(Debug)]
pub struct Situation<'a> {
    /// How the route is to be deleted.
    pub deletion: &'a effective::Deletion,
    /// When its deletion began.
    pub deleted_at: Timestamp,
    /// The children were asked to stay, or are no longer the route's.
    pub orphaning: bool,
    /// The namespace is going away.
    pub namespace_gone: bool,
    /// Every pod of the route has once served it.
    pub was_served: bool,
    /// Its pods.
    pub pods: &'a [Observed],
}

/// Whether the wait is over.
pub fn decide(situation: &Situation<'_>, now: Timestamp) -> Option<End> {
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

/// Jobs that are left undelivered; none: nobody knows.
fn left(pods: &[Observed]) -> Option<i64> {
    if pods.is_empty() {
        return None;
    }
    pods.iter()
        .map(|observed| observed.report.as_ref().map(|report| report.delivery.pending))
        .sum()
}

/// Whether the volume has to stay.
fn keeps_volume(end: End, left: Option<i64>) -> bool {
    match end {
        End::NeverServed | End::NamespaceGone | End::Orphaned | End::Drained => false,
        // Unless somebody knows that nothing is left, something may be.
        End::TimedOut => left.is_none_or(|jobs| jobs > 0),
        End::Abandoned => left.is_some_and(|jobs| jobs > 0),
    }
}

/// Whether a deleted route need not wait any longer.
pub async fn over(
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

/// The last accepted form of a deleted route that has mistakes, so that its pods learn of the deletion too.
pub fn last_accepted(subject: &Subject, written: Option<&Written>) -> Option<Valid> {
    subject.deleted_at?;
    let served = written?.current.as_ref()?;
    let mut object: serde_json::Value = serde_json::from_str(&served.json).ok()?;
    object["metadata"]["deletionTimestamp"] = serde_json::json!(subject.object.metadata.deletion_timestamp);
    let object = serde_json::from_value(object).ok()?;
    validate::route(&Subject::read(Arc::new(object))).ok()
}

/// Keeps what must be kept, lets the route go, and then tells of it, once.
pub async fn finish(context: &Context, subject: &Subject, end: End, pods: &[Observed]) -> Result<(), Error> {
    let left = left(pods);
    let note = if keeps_volume(end, left) {
        Some(keep(context, subject, left).await?)
    } else {
        None
    };
    let went = ensure::no_finalizer(context, subject)
        .await
        .map_err(Error::Finalizer)?;
    if let Some(note) = note.filter(|_| went) {
        context.recorder.record(&subject.reference(), &[note]).await;
    }
    tracing::info!(
        route = subject.names.route(),
        namespace = subject.names.namespace(),
        ?end,
        ?left,
        "the route went"
    );
    Ok(())
}

async fn keep(context: &Context, subject: &Subject, left: Option<i64>) -> Result<Note, Error> {
    let jobs = left.map_or_else(|| "unknown".to_owned(), |jobs| jobs.to_string());
    let ended = format!("the route ended before everything was delivered; jobs left: {jobs}");
    let key = Key::new(Kind::PersistentVolumeClaim, subject.names.store());
    if context.caches.meta(subject.names.namespace(), &key).is_none() {
        return Ok(Note::warning("JobsLeft", ended));
    }
    release(context, subject, &key).await.map_err(Error::Volume)?;
    let adopt = "store.embedded.existingClaim of a new route adopts it";
    Ok(Note::warning(
        "StoreKept",
        format!("{ended}. {key} is kept; {adopt}"),
    ))
}

/// The ConfigMap is no longer the route's: the garbage collector has already taken the owner references away, so pods
/// cannot be told of anything any more.
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

/// A route that cannot be read is drained as one that says nothing about it.
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
