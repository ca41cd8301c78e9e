//! What status says about the route's store: which volume it is on, what is wrong with that or its keys, and whether the
//! pods can store calls.
//!
//! Invariant: pure. The volume that is recorded changes only if the route's owner gave the old one up. A store that is full
//! or down is shown, and taken back, after [`EQUAL`] equal observations: at its limit it changes with every delivery.

use crate::names::Names;
use crate::route::apply::Problem;
use crate::route::claim::{self, KEY_MISSING};
use crate::route::feedback::Observed;
use crate::route::resolve::Found;
use crate::route::subject::Subject;
use asyncmcp_crds::StoreProblemReport;
use asyncmcp_crds::v1alpha1::StoreStatus;
use std::collections::BTreeSet;

/// Equal observations before it changes whether calls can be stored.
const EQUAL: u32 = 3;

/// Whether calls can be stored, once that is certain.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// `None` if no pod has reported yet.
    shown: Option<Health>,
    next: Health,
    /// How often `next` was observed in a row, if it is not shown.
    times: u32,
}

/// What the pods report of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Health {
    #[default]
    Sound,
    Wrong(StoreProblemReport),
}

impl Settling {
    /// Something else was observed than what is shown.
    pub(super) fn is_settling(&self) -> bool {
        self.times > 0
    }

    /// One round of reports. The first of all counts at once.
    pub(super) fn settle(&mut self, pods: &[Observed]) -> Option<Problem> {
        if let Some(now) = reported(pods) {
            self.observe(now);
        }
        match &self.shown {
            Some(Health::Wrong(problem)) => Some(Problem {
                reason: problem.reason.as_str(),
                message: problem.message.clone(),
            }),
            Some(Health::Sound) | None => None,
        }
    }

    fn observe(&mut self, now: Health) {
        let is_repeated = self.times > 0 && now == self.next;
        let times = if is_repeated {
            self.times.saturating_add(1)
        } else {
            1
        };
        let is_shown = self.shown.as_ref() == Some(&now);
        if is_shown || self.shown.is_none() || times >= EQUAL {
            self.shown = Some(now);
            self.times = 0;
        } else {
            self.next = now;
            self.times = times;
        }
    }
}

/// What a running pod reports, the worst first.
fn reported(pods: &[Observed]) -> Option<Health> {
    let pods = pods
        .iter()
        .filter(|pod| pod.trusted && !pod.pod.terminating && pod.pod.address.is_some());
    let reports = pods.filter_map(|pod| pod.report.as_ref());
    let health = reports.map(|report| report.store_problem.clone().map_or(Health::Sound, Health::Wrong));
    health.max_by_key(|health| *health != Health::Sound)
}

/// The volume that results are stored on. While another one is in its place, the old one.
pub(super) fn recorded(subject: &Subject, found: &Found) -> Option<StoreStatus> {
    let claim = found.claim.as_ref();
    let blocks = claim::standing(claim, &subject.record()).is_some_and(|trouble| trouble.blocks);
    let now = claim.filter(|_| !blocks).and_then(claim::record);
    now.or_else(|| subject.base.store.clone())
}

/// What is wrong with the claim; else whether a pod lacks a key.
pub(super) fn problem(subject: &Subject, found: &Found) -> Option<Problem> {
    let trouble = claim::standing(found.claim.as_ref(), &subject.record());
    trouble
        .map(|trouble| trouble.problem)
        .or_else(|| missing_key(found))
}

fn missing_key(found: &Found) -> Option<Problem> {
    let reports = found
        .pods
        .iter()
        .filter(|pod| pod.trusted)
        .filter_map(|pod| pod.report.as_ref());
    let keys = reports.flat_map(|report| &report.store_keys);
    let missing: BTreeSet<u32> = keys.filter(|key| key.missing).map(|key| key.id).collect();
    if missing.is_empty() {
        return None;
    }
    let ids: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let secret = found
        .claim
        .as_ref()
        .map(|claim| Names::keys_of(&claim.name))
        .unwrap_or_default();
    let message = format!(
        "jobs on the volume wait for a key that store.json of Secret {secret} does not have: {}. Add it from a backup of \
         the Secret; the jobs then continue",
        ids.join(", ")
    );
    Some(Problem {
        reason: KEY_MISSING,
        message,
    })
}
