//! What is known of each job while its story is read from the beginning.
//!
//! `judge` feeds it every event and asks it for what must not be. Invariant: knows only what was committed and
//! what servers and receivers saw, and so holds for any engine.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::event::{AttemptEnd, Claim, Commit, Event, Step};
use super::judge::{Condition, Finding};
use super::plan::{Number, Plan};
use crate::state::{End, Exec, Push};
use crate::verdict::Verdict;

/// How much later a server may be notified of a cancellation, since a round of the reconciler may have to find it.
const CANCEL_BY: Duration = Duration::from_mins(3);

/// One job.
#[derive(Default)]
pub(super) struct Entry {
    /// What is to be delivered.
    body: Option<Bytes>,
    /// How its execution ended, as it was committed.
    pub(super) end: Option<End>,
    pub(super) push: Option<Push>,
    /// Times that it reached its server.
    runs: u32,
    /// Executions in progress in this process.
    executing: u32,
    cancelled_at: Option<Duration>,
    /// The claim that it is in.
    claim: Option<Claim>,
    /// Attempts in progress in this process.
    posting: Vec<Claim>,
    /// How attempts of this process ended whose outcome is not committed.
    replied: Vec<(Claim, Verdict)>,
}

/// All jobs.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) entries: BTreeMap<Number, Entry>,
    pub(super) findings: Vec<Finding>,
}

impl Ledger {
    pub(super) fn read(&mut self, plan: &Plan, at: Duration, event: &Event) {
        match event {
            Event::Started(_) => self.entries.values_mut().for_each(Entry::lose_process),
            Event::Committed(commit) => self.commit(at, commit),
            Event::Executing { call, resumed } => self.executing(plan, *call, *resumed),
            Event::ExecutionOver { call, .. } => self.execution_over(at, *call),
            Event::Posted {
                call,
                claim,
                body,
                signed,
            } => self.posted(*call, *claim, body, *signed),
            Event::AttemptOver { call, claim, how } => self.attempt_over(*call, *claim, *how),
            _ => {}
        }
    }

    fn commit(&mut self, at: Duration, commit: &Commit) {
        let Some(after) = commit.after else { return };
        let was_sending = commit
            .before
            .is_some_and(|before| before.state.push == Push::Sending);
        if was_sending && after.state.push != Push::Sending {
            self.leave_sending(commit);
        }
        let entry = self.entries.entry(commit.call).or_default();
        entry.push = Some(after.state.push);
        for step in &commit.steps {
            match step {
                Step::Finish { end, body } => {
                    entry.body = Some(body.clone());
                    entry.end = Some(*end);
                    entry.cancelled_at = (*end == End::Cancelled).then_some(at);
                }
                Step::Claim if after.state.push == Push::Sending => entry.claim = Some(after.claim),
                _ => {}
            }
        }
        if let Exec::Ended(end) = after.state.exec
            && entry.end != Some(end)
        {
            self.find(commit.call, Condition::OutcomeChanged, "its end changed");
        }
    }

    /// What ends an attempt has to come from the attempt of this claim.
    fn leave_sending(&mut self, commit: &Commit) {
        let entry = self.entries.entry(commit.call).or_default();
        let Some(claim) = entry.claim.take() else { return };
        let verdict = entry
            .replied
            .iter()
            .find(|(of, _)| *of == claim)
            .map(|(_, verdict)| *verdict);
        let under_way = entry.posting.contains(&claim);
        let follows = commit.steps.iter().all(|step| match step {
            Step::Deliver => verdict == Some(Verdict::Delivered),
            Step::Retry(Some(_)) => matches!(verdict, Some(Verdict::Retry(_))),
            Step::Retry(None) => !under_way,
            Step::Bury(_) => verdict.is_some_and(|verdict| verdict != Verdict::Delivered),
            _ => true,
        });
        if !follows {
            let under_way = if under_way {
                ", which is still under way"
            } else {
                ""
            };
            let says = format!(
                "{:?} is not what its attempt came to{under_way}",
                commit.steps.last()
            );
            self.find(commit.call, Condition::StaleOutcome, &says);
        }
    }

    fn executing(&mut self, plan: &Plan, call: Number, resumed: bool) {
        let entry = self.entries.entry(call).or_default();
        entry.runs += u32::from(!resumed);
        entry.executing += 1;
        let (runs, executing) = (entry.runs, entry.executing);
        let once = plan.call(call).is_some_and(|call| !call.repeats);
        if once && runs > 1 && !resumed {
            self.find(
                call,
                Condition::RanTwice,
                "it reached its server again, although it may run only once",
            );
        }
        if executing > 1 {
            self.find(call, Condition::Overlap, "two executions of it are under way");
        }
    }

    fn execution_over(&mut self, at: Duration, call: Number) {
        let entry = self.entries.entry(call).or_default();
        entry.executing -= 1;
        if entry
            .cancelled_at
            .is_some_and(|cancelled| at > cancelled + CANCEL_BY)
        {
            self.find(
                call,
                Condition::NotTold,
                "its server ran on long after it was cancelled",
            );
        }
    }

    fn posted(&mut self, call: Number, claim: Claim, body: &Bytes, signed: bool) {
        let entry = self.entries.entry(call).or_default();
        let overlaps = !entry.posting.is_empty();
        let differs = entry.body.as_ref() != Some(body);
        entry.posting.push(claim);
        if overlaps {
            self.find(
                call,
                Condition::Overlap,
                "two attempts to deliver it are under way",
            );
        }
        if differs {
            self.find(
                call,
                Condition::OutcomeChanged,
                "what is sent is not the outcome that was committed",
            );
        }
        if !signed {
            self.find(
                call,
                Condition::Unsigned,
                "it is sent while a key or a header cannot be read",
            );
        }
    }

    fn attempt_over(&mut self, call: Number, claim: Claim, how: AttemptEnd) {
        let entry = self.entries.entry(call).or_default();
        if let Some(place) = entry.posting.iter().position(|of| *of == claim) {
            entry.posting.remove(place);
        }
        if let AttemptEnd::Answered(verdict) = how {
            entry.replied.push((claim, verdict));
        }
    }

    pub(super) fn find(&mut self, call: Number, condition: Condition, says: &str) {
        let says = format!("call {call}: {says}");
        self.findings.push(Finding { condition, says });
    }
}

impl Entry {
    /// What was in progress ended with its process.
    fn lose_process(&mut self) {
        self.executing = 0;
        self.posting.clear();
        self.replied.clear();
    }
}
