//! Live configuration: makes the kubelet refresh a pod's projected volume at once, by changing an annotation of the
//! pod. By itself the kubelet takes about a minute.
//!
//! Level-triggered: the kubelet may still read its own stale cache, so while a pod reports another hash its annotation
//! is changed again, with growing waits. A report does not show a changed Secret or ConfigMap, so that changes the annotation
//! three times.
//!
//! Invariant: the annotation is on the pod, never on its template, so neither a `StatefulSet` nor a `Deployment`
//! reverts it or restarts pods for it. While nothing changes, nothing is written.

use super::context::Context;
use super::feedback::{Observed, View};
use asyncmcp_crds::CONFIG_ANNOTATION;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The first wait for a pod to load a new configuration.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// When pods are notified of a changed Secret or ConfigMap.
const AFTER_A_REFERENCE: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(10)];

/// Failed to annotate a pod.
#[derive(Debug, thiserror::Error)]
#[error("failed to annotate pod {pod}")]
pub(crate) struct Error {
    pod: String,
    #[source]
    source: kube::Error,
}

/// Which configuration pods were notified of, and when.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    notified: HashMap<String, Notified>,
    versions: Option<u64>,
    due: Vec<Instant>,
}

#[derive(Debug)]
struct Notified {
    hash: String,
    times: u32,
    at: Instant,
}

impl Notified {
    /// When a pod that still serves another version is notified again.
    fn retry_at(&self) -> Instant {
        let factor = 2_u32.saturating_pow(self.times.saturating_sub(1));
        self.at + FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
    }
}

/// What to do now, and when to check again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Pods and their new annotation.
    pub(crate) notify: Vec<(String, String)>,
    /// When the next step is due.
    pub(crate) next: Option<Instant>,
}

impl Reloads {
    /// Which pods to notify that they should serve `hash`. `versions` identifies those of all mounted Secrets and
    /// ConfigMaps.
    pub(crate) fn plan(&mut self, hash: &str, versions: u64, pods: &[Observed], now: Instant) -> Plan {
        let reference_due = self.reference_is_due(versions, now);
        self.notified.retain(|uid, notified| {
            notified.hash == hash && pods.iter().any(|observed| observed.pod.uid == *uid)
        });
        let mut next = self.due.iter().min().copied();
        let mut notify = Vec::new();
        for observed in pods.iter().filter(|observed| !observed.pod.terminating) {
            let Some(stale) = is_stale(observed, hash) else {
                continue;
            };
            let at = self
                .notified
                .get(&observed.pod.uid)
                .map_or(now, Notified::retry_at);
            if reference_due || (stale && at <= now) {
                let retry_at = self.record(&observed.pod, hash, now);
                notify.push((observed.pod.name.clone(), next_annotation(&observed.pod, hash)));
                next = earlier(next, stale.then_some(retry_at));
            } else if stale {
                next = earlier(next, Some(at));
            }
        }
        Plan { notify, next }
    }

    fn record(&mut self, pod: &View, hash: &str, now: Instant) -> Instant {
        let fresh = Notified {
            hash: hash.to_owned(),
            times: 0,
            at: now,
        };
        let notified = self.notified.entry(pod.uid.clone()).or_insert(fresh);
        notified.times = notified.times.saturating_add(1);
        notified.at = now;
        notified.retry_at()
    }

    fn reference_is_due(&mut self, versions: u64, now: Instant) -> bool {
        // The first check after a start has nothing to compare with; the kubelet's own refresh covers missed changes.
        if self
            .versions
            .replace(versions)
            .is_some_and(|before| before != versions)
        {
            self.due = AFTER_A_REFERENCE.iter().map(|wait| now + *wait).collect();
        }
        let waiting = self.due.len();
        self.due.retain(|due| *due > now);
        self.due.len() < waiting
    }
}

/// Whether a pod serves another version than `hash`; `None` if it has not reported. A pod that rejected the document
/// has read it, so notifying it again would not help.
fn is_stale(observed: &Observed, hash: &str) -> Option<bool> {
    let report = observed.report.as_ref()?;
    let refused = report
        .refused
        .as_ref()
        .is_some_and(|refused| refused.config_hash == hash);
    Some(report.config_hash != hash && !refused)
}

fn next_annotation(pod: &View, hash: &str) -> String {
    let count = pod
        .annotation
        .as_deref()
        .and_then(|text| text.rsplit_once('.')?.1.parse::<u64>().ok());
    format!("{hash}.{}", count.unwrap_or_default().wrapping_add(1))
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Executes a plan. A pod that no longer exists needs nothing.
pub(crate) async fn notify(context: &Context, namespace: &str, plan: &Plan) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    for (pod, annotation) in &plan.notify {
        let patch = json!({"metadata": {"annotations": {CONFIG_ANNOTATION: annotation}}});
        let patched = api
            .patch_metadata(pod, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        match patched {
            Ok(_) => tracing::debug!(pod, annotation, "notified a pod of its configuration"),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(source) => {
                return Err(Error {
                    pod: pod.clone(),
                    source,
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
