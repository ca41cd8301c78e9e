//! Deletion: the route's deliveries are finished first. The document that pods serve carries `deletionTimestamp`; they
//! refuse new calls, finish the calls they accepted, and report it.
//!
//! Invariant: a volume with acknowledged, undelivered jobs is never deleted with its route, and a pod on another volume
//! than the one that holds them is not believed.

mod end;

use super::apply::Applied;
use super::claim::{self, Claim};
use super::context::Context;
use super::ensure;
use super::feedback::Observed;
use super::namespace;
use super::resolve::{Found, Written};
use super::subject::Subject;
use super::validate::{self, Valid};
use crate::kinds::Key;
use asyncmcp_crds::effective;
use asyncmcp_crds::v1alpha1::{DeletionPolicy, StoreStatus};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a step failed; it is retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The namespace was not read.
    #[error(transparent)]
    Namespace(#[from] namespace::Error),
    /// The route's objects were not handed over or released.
    #[error("failed to hand over the route's objects")]
    Objects(#[from] end::Error),
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
    /// The volume with its results is gone, or another one is in its place.
    StoreLost,
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
    pub(crate) store: Trust,
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
        return Some(match situation.store {
            Trust::Same => End::Drained,
            Trust::Younger | Trust::Gone => End::StoreLost,
        });
    }
    if situation.store == Trust::Gone && situation.pods.iter().all(|pod| pod.report.is_none()) {
        return Some(End::StoreLost);
    }
    (now.duration_since(situation.deleted_at) >= timeout).then_some(End::TimedOut)
}

/// Whether what the pods report is about the volume that held the results when the deletion began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Same,
    /// The claim is younger than the deletion, or does not exist.
    Younger,
    /// The claim that status names is gone, or another one has its name.
    Gone,
}

impl Trust {
    /// `claim` is `None` if the spec asks for no volume.
    fn of(claim: Option<&Claim>, recorded: Option<&StoreStatus>, deleted_at: Timestamp) -> Self {
        if let Some(recorded) = recorded {
            let is_same = claim.is_some_and(|claim| claim.is(recorded));
            return if is_same { Self::Same } else { Self::Gone };
        }
        let Some(claim) = claim else { return Self::Same };
        let created = claim.live.as_ref().and_then(|live| live.created);
        match created.filter(|created| *created < deleted_at) {
            Some(_) => Self::Same,
            None => Self::Younger,
        }
    }
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

/// Whether a deleted route stops waiting, and why.
pub(crate) async fn end(
    context: &Context,
    subject: &Subject,
    found: &Found,
    written: Option<&Written>,
) -> Result<Option<End>, Error> {
    let Some(deleted_at) = subject.deleted_at else {
        return Ok(None);
    };
    let situation = Situation {
        deletion: &deletion(subject),
        deleted_at,
        orphaning: context.caches.orphaned.contains(subject.names.uid()),
        namespace_gone: namespace::is_gone(context, subject.names.namespace()).await?,
        // A pod that ever reported its deliveries served the route, whatever became of the ConfigMap.
        was_served: written.is_some_and(|written| written.last.is_some()) || subject.base.delivery.is_some(),
        store: Trust::of(
            found.claim.as_ref(),
            claim::binding(&subject.record()),
            deleted_at,
        ),
        pods: &found.pods,
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

/// Hands over or keeps the route's objects, removes the finalizer, and then writes one Event about what is left.
pub(crate) async fn finish(
    context: &Context,
    subject: &Subject,
    end: End,
    pods: &[Observed],
    applied: &BTreeMap<Key, Applied>,
) -> Result<(), Error> {
    let undelivered = undelivered(pods);
    let note = end::objects(context, subject, end, undelivered, applied).await?;
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
