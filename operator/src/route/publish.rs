//! Last step of a reconcile: writes the route's status, by server-side apply under a field manager of its own, and an
//! Event for each important change.
//!
//! Invariant: status is written only when it changes; the numbers of `delivery` alone cause at most one write a minute.

pub(crate) mod conditions;
mod delivery;
mod draft;
mod issuers;
mod notes;
mod pace;
mod programmed;
mod secrets;
mod servers;
mod store;
mod waiting;

use super::apply::Problem;
use super::context::Context;
use super::feedback::Observed;
use super::resolve::Found;
use super::stuck::Stuck;
use super::subject::Subject;
use super::validate::Valid;
use crate::kinds::route_resource;
use asyncmcp_crds::{McpWebhookRouteStatus, StoreProblem};
use draft::draft;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::json;
use tokio::time::Instant;

/// The field manager of status.
const MANAGER: &str = "asyncmcp-operator-status";

/// Failed to write status.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the status of the route")]
pub(crate) struct Error(#[source] kube::Error);

/// The result of a reconcile.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The route is invalid; its last accepted version is still served.
    Rejected(Problem),
    /// Everything was applied except what the API server rejected.
    Programmed {
        valid: Box<Valid>,
        /// Hash of the route's pod template.
        template: String,
        /// What the API server rejected, or other owners' objects with a child's name.
        problems: Vec<Problem>,
        /// The pods can read this version of the route.
        published: bool,
        /// What the route waits for that only Events explain.
        stuck: Stuck,
        /// When a pod is to be notified of its configuration again.
        next: Option<Instant>,
    },
}

/// What is needed besides the status itself.
#[derive(Debug, Default)]
pub(crate) struct Published {
    written: Option<Written>,
    servers: servers::Settling,
    delivery: delivery::Pacing,
    store: store::Settling,
    waiting: pace::Waiting,
    /// What the route waits for although it serves.
    pub(crate) waits: Option<String>,
}

/// The last status that was written, and the version of the route that it was computed from.
#[derive(Debug)]
struct Written {
    base_version: Option<String>,
    status: McpWebhookRouteStatus,
}

impl Published {
    /// If the cache does not have our last write yet, assumes that the route has it: otherwise an Event would be
    /// written twice and transition times would change.
    pub(crate) fn recall(&self, subject: &mut Subject) {
        let version = &subject.object.metadata.resource_version;
        if let Some(written) = self
            .written
            .as_ref()
            .filter(|written| written.base_version == *version)
        {
            subject.base = written.status.clone();
        }
    }
}

/// Writes the status and events that changed; returns when to reconcile again.
pub(crate) async fn status(
    context: &Context,
    subject: &Subject,
    found: &Found,
    outcome: &Outcome,
    memory: &mut Published,
) -> Result<Action, Error> {
    let now = Instant::now();
    let draft = draft(subject, found, outcome, memory, Timestamp::now());
    let mut status = draft.status.clone();
    for reason in [memory.waits.clone(), context.definition.lack()] {
        waiting::append(status.conditions.as_mut(), reason.as_deref());
    }
    memory.delivery.hold_back(&mut status, &subject.base, now);
    if differs(context, &status, &subject.base) {
        write(context, subject, &status).await?;
        let notes = notes::between(&subject.base, &status);
        context.recorder.record(&subject.reference(), &notes).await;
        let base_version = subject.object.metadata.resource_version.clone();
        memory.written = Some(Written {
            base_version,
            status: status.clone(),
        });
    }
    let progress = pace::Progress {
        pods: pods(found, outcome, draft.programmed),
        draining: subject.deleted_at.is_some(),
        settling: memory
            .servers
            .is_settling(status.servers.as_deref().unwrap_or_default())
            || memory.store.is_settling()
            || waits_for_pods(&status),
        next: next_reload(outcome),
    };
    Ok(Action::requeue(memory.waiting.interval(
        &progress,
        now,
        rand::random_range(0.8..1.2),
    )))
}

fn pods(found: &Found, outcome: &Outcome, programmed: bool) -> pace::Pods {
    let running = |observed: &Observed| observed.pod.address.is_some() && !observed.pod.terminating;
    match outcome {
        _ if programmed => pace::Pods::Programmed,
        Outcome::Programmed { stuck, .. } if stuck.waits => pace::Pods::Stuck,
        Outcome::Programmed { published: true, .. } if found.pods.iter().any(running) => pace::Pods::Awaited,
        _ => pace::Pods::Blocked,
    }
}

/// Whether something is wrong that ends with what a pod reports, without a change in the cluster.
fn waits_for_pods(status: &McpWebhookRouteStatus) -> bool {
    let reasons = [
        conditions::KEY_NOT_FOUND,
        conditions::KEY_INVALID,
        StoreProblem::StoreFull.as_str(),
        StoreProblem::StoreDown.as_str(),
    ];
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| reasons.contains(&condition.reason.as_str()))
}

fn next_reload(outcome: &Outcome) -> Option<Instant> {
    match outcome {
        Outcome::Programmed { next, .. } => *next,
        Outcome::Rejected(_) => None,
    }
}

async fn write(context: &Context, subject: &Subject, status: &McpWebhookRouteStatus) -> Result<(), Error> {
    let names = &subject.names;
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), names.namespace(), &route_resource());
    let patch = json!({
        "apiVersion": asyncmcp_crds::API_VERSION,
        "kind": asyncmcp_crds::KIND,
        // With the uid the write fails if this is a new route with the same name.
        "metadata": {"name": names.route(), "uid": names.uid()},
        "status": context.definition.known(json!(status)),
    });
    let params = PatchParams::apply(MANAGER).force();
    match api
        .patch_status(names.route(), &params, &Patch::Apply(patch))
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => {
            context.definition.suspect();
            Err(Error(error))
        }
    }
}

/// Whether there is anything to write. What the definition lacks is never read back.
fn differs(context: &Context, status: &McpWebhookRouteStatus, base: &McpWebhookRouteStatus) -> bool {
    let known = |status: &McpWebhookRouteStatus| context.definition.known(json!(status));
    status != base && known(status) != known(base)
}

#[cfg(test)]
mod tests;
