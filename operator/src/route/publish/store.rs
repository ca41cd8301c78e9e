//! What status says about the route's volume: which one it is, and what is wrong with it or its keys.
//!
//! Invariant: pure. The volume that is recorded changes only if the route's owner gave the old one up.

use crate::names::Names;
use crate::route::apply::Problem;
use crate::route::claim::{self, KEY_MISSING};
use crate::route::resolve::Found;
use crate::route::subject::Subject;
use asyncmcp_crds::v1alpha1::StoreStatus;
use std::collections::BTreeSet;

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
