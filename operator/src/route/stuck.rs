//! Why a route has no pod, or a pod without a volume, from the Events of their controllers: a `StatefulSet` says it nowhere
//! else. Between `apply` and `publish`.
//!
//! Invariant: it asks only while that has lasted for a moment, and a list that fails changes nothing.

use super::apply::Problem;
use super::context::Context;
use super::resolve::Found;
use crate::cause;
use crate::kinds::Kind;
use crate::names::Names;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams};
use std::time::Duration;
use tokio::time::Instant;

/// The reason of `Programmed` if the cluster refuses to create a pod.
pub(crate) const NOT_CREATED: &str = "PodNotCreated";
/// How long a controller may take without being asked why.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What a route waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// A pod of the current revision.
    Pod,
    /// A volume for this claim; the pod that waits for it.
    Volume { claim: String, pod: String },
}

/// Since when the route waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Option<Instant>);

/// Whether the route waits for something that only an Event explains, and the explanation, if there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) waits: bool,
    pub(crate) problem: Option<Problem>,
}

/// What keeps the pods of this template from running.
pub(crate) async fn look(
    context: &Context,
    names: &Names,
    template: &str,
    found: &Found,
    waiting: &mut Waiting,
) -> Stuck {
    let Some(wanted) = wanted(template, found) else {
        waiting.0 = None;
        return Stuck::default();
    };
    let since = *waiting.0.get_or_insert_with(Instant::now);
    let mut problem = None;
    if since.elapsed() >= PATIENCE {
        problem = explain(&wanted, names, events(context, names, &wanted).await);
    }
    Stuck { waits: true, problem }
}

fn wanted(template: &str, found: &Found) -> Option<Wanted> {
    let mut current = found.pods.iter().map(|observed| &observed.pod);
    let Some(pod) = current.find(|pod| !pod.terminating && pod.template == template) else {
        return Some(Wanted::Pod);
    };
    let claim = found.claim.as_ref().filter(|_| pod.unscheduled)?;
    let unbound = claim.live.as_ref().is_some_and(|live| !live.bound);
    unbound.then(|| Wanted::Volume {
        claim: claim.name.clone(),
        pod: pod.name.clone(),
    })
}

/// The pods of a `Deployment` are made by a `ReplicaSet`, whose name is not known here.
async fn events(context: &Context, names: &Names, wanted: &Wanted) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(context.client.clone(), names.namespace());
    let of = |kind: &str, name: &str| format!("regarding.kind={kind},regarding.name={name}");
    let selectors = match wanted {
        Wanted::Pod => vec![
            of(Kind::StatefulSet.as_str(), &names.dataplane()),
            "regarding.kind=ReplicaSet".to_owned(),
        ],
        Wanted::Volume { claim, .. } => vec![of(Kind::PersistentVolumeClaim.as_str(), claim)],
    };
    let mut events = Vec::new();
    for selector in selectors {
        match api.list(&ListParams::default().fields(&selector)).await {
            Ok(list) => events.extend(list.items),
            Err(error) => tracing::debug!(cause = cause::line(&error), "failed to list events"),
        }
    }
    events
}

/// The newest Event decides: an earlier one may be about something that has been repaired.
fn explain(wanted: &Wanted, names: &Names, events: Vec<Event>) -> Option<Problem> {
    let is_about = |event: &Event| match wanted {
        Wanted::Pod => is_of_controller(event, &names.dataplane()),
        Wanted::Volume { .. } => true,
    };
    let newest = events.into_iter().filter(is_about).max_by_key(time)?;
    let note = newest.note.as_deref().unwrap_or_default();
    let (reason, message) = match (wanted, newest.reason.as_deref()) {
        (Wanted::Pod, Some("FailedCreate")) => (NOT_CREATED, not_created(note)),
        (Wanted::Volume { claim, pod }, Some("ProvisioningFailed" | "FailedBinding")) => {
            let message =
                format!("pod {pod} waits for PersistentVolumeClaim {claim}, which gets no volume: {note}");
            ("PodNotRunning", message)
        }
        _ => return None,
    };
    Some(Problem { reason, message })
}

fn is_of_controller(event: &Event, dataplane: &str) -> bool {
    let regarding = event.regarding.as_ref();
    let name = regarding.and_then(|regarding| regarding.name.as_deref());
    let Some(suffix) = name.and_then(|name| name.strip_prefix(dataplane)) else {
        return false;
    };
    match regarding.and_then(|regarding| regarding.kind.as_deref()) {
        Some("StatefulSet") => suffix.is_empty(),
        // <deployment>-<hash of the template>
        Some("ReplicaSet") => suffix.starts_with('-') && !suffix[1..].contains('-'),
        _ => false,
    }
}

fn time(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let last = event.deprecated_last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    series.into_iter().chain(last).chain(first).max()
}

/// A controller's text without the name of the pod, which may differ at each try.
fn not_created(note: &str) -> String {
    let why = note.split_once(" is forbidden: ").map(|(_, why)| why);
    let why = why.or_else(|| Some(note.split_once("failed error: ")?.1));
    let why = why.unwrap_or_else(|| note.trim_start_matches("Error creating: "));
    format!("the cluster refuses to create a pod: {why}{}", way_out(why))
}

fn way_out(why: &str) -> &'static str {
    if why.contains("must specify") || why.contains("usage per ") {
        ". Set dataPlane.resources as that asks"
    } else if why.contains("exceeded quota") {
        ". Raise the ResourceQuota, or free some of it"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests;
