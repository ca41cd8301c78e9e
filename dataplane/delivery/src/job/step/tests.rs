//! The fence: which steps a job still allows, and how one recognises one's own.

use bytes::Bytes;

use super::*;
use crate::job::tests::job;
use crate::state::{Category, End};

const ME: Owner = Owner { replica: 0, epoch: 7 };
const OTHER: Owner = Owner { replica: 0, epoch: 8 };

fn step(by: Owner, expect: Expect, changes: &[Change]) -> Step {
    let stamp = Stamp { by, at: Millis(9) };
    let changes = changes.to_vec();
    Step {
        expect,
        stamp,
        changes,
    }
}

fn finish(end: End) -> Change {
    let body = Bytes::new();
    Change::Finish { end, body }
}

const DEAD: Change = Change::Bury {
    why: Category::Http5xx,
};

/// A job that `ME` runs.
fn running() -> Job {
    let start = step(ME, Expect::Any, &[Change::Start]);
    job(true).after_step(&start).unwrap()
}

#[test]
fn only_the_holder_under_its_own_claim_ends_what_it_holds() {
    let job = running();
    let end = |by, run| job.after_step(&step(by, Expect::Held(run), &[finish(End::Result)]));
    assert!(end(ME, job.run).is_some());
    assert!(end(ME, job.run + 1).is_none());
    assert!(end(OTHER, job.run).is_none());
}

#[test]
fn an_attempt_that_was_stopped_and_replayed_meanwhile_changes_nothing() {
    let claimed = [finish(End::Result), Change::Claim];
    let first = running().after_step(&step(ME, Expect::Any, &claimed)).unwrap();
    let again = [Change::Stop, Change::Replay, Change::Claim];
    let second = first.after_step(&step(ME, Expect::Any, &again)).unwrap();
    assert_eq!(first.attempts, second.attempts, "attempts cannot tell them apart");
    assert!(
        second
            .after_step(&step(ME, Expect::Held(first.run), &[DEAD]))
            .is_none()
    );
    let delivered = second.after_step(&step(ME, Expect::Held(second.run), &[Change::Deliver]));
    assert!(delivered.is_some());
}

#[test]
fn a_name_that_comes_meanwhile_costs_no_outcome_but_a_step_that_expects_the_version() {
    let read = running();
    let name = step(OTHER, Expect::Any, &[Change::Name { name: [9; 32] }]);
    let named = read.after_step(&name).unwrap();
    let end = |expect| named.after_step(&step(ME, expect, &[finish(End::Result)]));
    assert!(end(Expect::Held(read.run)).is_some());
    assert!(end(Expect::Version(read.version)).is_none());
    assert!(end(Expect::Version(named.version)).is_some());
}

#[test]
fn whoever_makes_a_step_recognises_it_and_no_other() {
    let job = running();
    let result = step(ME, Expect::Held(job.run), &[finish(End::Result), Change::Claim]);
    assert!(!result.leads_to(&job));
    assert!(result.leads_to(&job.after_step(&result).unwrap()));
    let cancel = step(ME, Expect::Any, &[finish(End::Cancelled)]);
    let cancelled = job.after_step(&cancel).unwrap();
    assert!(cancel.leads_to(&cancelled) && !result.leads_to(&cancelled));
}
