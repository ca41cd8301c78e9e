//! Whether each dead letter has its event, in the commit that made it one.
//!
//! `judge` calls it; every route of the simulation wants events. Invariant: judges by commits, as a store made them.

use std::collections::BTreeSet;

use super::event::{Commit, Event, Moment, Step};
use super::judge::{Condition, Finding};
use super::plan::Plan;
use super::world::FIRST_EVENT;

/// Every dead letter without its event, and every event without a dead letter of its own.
pub(super) fn findings(plan: &Plan, moments: &[Moment]) -> Vec<Finding> {
    let commits = moments.iter().filter_map(|moment| match &moment.event {
        Event::Committed(commit) if commit.after.is_some() => Some(commit),
        _ => None,
    });
    let mut commits = commits.peekable();
    let (mut stored, mut findings) = (BTreeSet::new(), Vec::new());
    while let Some(commit) = commits.next() {
        // A small store may have no space for it.
        let is_stored = commits.peek().is_some_and(|next| is_birth(next)) || plan.route.space.is_some();
        let wrong = if is_birth(commit) {
            (!stored.insert(commit.call)).then_some("it was stored twice")
        } else {
            unannounced(commit, is_stored)
        };
        findings.extend(wrong.map(|says| Finding {
            condition: Condition::Unannounced,
            says: format!("call {}: {says}", commit.call),
        }));
    }
    findings
}

fn unannounced(commit: &Commit, is_stored: bool) -> Option<&'static str> {
    let dies = commit.steps.iter().any(|step| matches!(step, Step::Bury(_)));
    let has_event = commit.steps.contains(&Step::Notify);
    match (dies, has_event) {
        (true, false) if commit.call < FIRST_EVENT => Some("it died without an event"),
        (_, true) if commit.call >= FIRST_EVENT => Some("it is an event and has one"),
        (false, true) => Some("it has an event and did not die"),
        (true, true) if !is_stored => Some("its event was not stored with its death"),
        _ => None,
    }
}

/// An event became a job.
fn is_birth(commit: &Commit) -> bool {
    commit.call >= FIRST_EVENT && commit.before.is_none()
}
