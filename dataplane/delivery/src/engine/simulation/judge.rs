//! What must hold for every world, whatever was asked of it and whatever went wrong.
//!
//! Invariant: judges by the events and by what is committed at the end, never by the engine's insides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::announced;
use super::disk::at_once;
use super::event::{Answer, Asked, Commit, Event, Moment, Step, Tally};
use super::fairness::Fairness;
use super::ledger::Ledger;
use super::plan::{Number, Plan, What};
use super::rest;
use super::world::World;
use crate::history::KEPT;
use crate::job::{Job, Key};
use crate::state::End;
use crate::store::roles::*;
use crate::store::{ClientUse, Counts};

/// How long the last commits of a process that ends may take.
const LAST_COMMITS: Duration = Duration::from_secs(6);

/// What must hold. A finding is of the first one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// A tool that may run once reaches its server once.
    RanTwice,
    /// A committed outcome never changes, and nothing else is sent.
    OutcomeChanged,
    /// What ends an attempt comes from this attempt.
    StaleOutcome,
    /// A job has one execution, and one attempt, at a time.
    Overlap,
    /// What clients are told about an acceptance or a cancellation is true.
    FalseAnswer,
    /// Every job is delivered, dead or stopped in the end, without another process.
    Stuck,
    /// The server of a cancelled job is notified.
    NotTold,
    /// Every request gets an answer.
    Unanswered,
    /// Nobody waits longer than its share allows, and nobody gets more.
    Unfair,
    /// Every dead letter has its event, in the commit that made it one, and no event has another.
    Unannounced,
    /// Nothing is sent while no signing key, or not every header that belongs to it, can be read.
    Unsigned,
    /// A process that is asked to end does so in time.
    Late,
    /// The store's counts equal a recount.
    Counts,
    /// A job's history has an entry for each one that was committed, numbered without a gap.
    History,
    /// Counters equal what was committed.
    Metrics,
}

/// What did not hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) condition: Condition,
    pub(super) says: String,
}

/// Everything that does not hold in a world that was run, gravest first.
pub(super) fn judge(world: &Arc<World>) -> Vec<Finding> {
    let moments = world.moments();
    let (mut ledger, mut fairness) = (Ledger::default(), Fairness::default());
    for moment in &moments {
        ledger.read(&world.plan, moment.at, &moment.event);
        fairness.read(&world.plan, moment);
        if let Event::Stuck(calls) = &moment.event {
            for call in calls {
                ledger.find(*call, Condition::Stuck, "nothing happens to it any more");
            }
        }
    }
    answers(&world.plan, &moments, &mut ledger);
    let mut findings = ledger.findings;
    findings.extend(fairness.findings);
    findings.extend(late(&moments));
    findings.extend(announced::findings(&world.plan, &moments));
    findings.extend(counts(world));
    findings.extend(histories(world, &moments));
    findings.extend(metrics(&moments));
    findings.sort_by_key(|finding| finding.condition);
    findings
}

/// Whether what callers were told is true.
fn answers(plan: &Plan, moments: &[Moment], ledger: &mut Ledger) {
    let mut asked = BTreeMap::new();
    for moment in moments {
        match &moment.event {
            Event::Asked { ask, asked: what } => drop(asked.insert(*ask, what.clone())),
            Event::HungUp { ask } => drop(asked.remove(ask)),
            Event::Answered { ask, answer } => {
                if let Some(asked) = asked.remove(ask) {
                    answered(plan, &asked, *answer, ledger);
                }
            }
            Event::Died | Event::Drained => asked.clear(),
            _ => {}
        }
    }
    for asked in asked.values() {
        ledger.find(
            asked.call(),
            Condition::Unanswered,
            "somebody still waits for an answer",
        );
    }
}

fn answered(plan: &Plan, asked: &Asked, answer: Answer, ledger: &mut Ledger) {
    let call = asked.call();
    let entry = ledger.entries.get(&call);
    let is_cancelled = entry.is_some_and(|entry| entry.end == Some(End::Cancelled));
    let wrong = match answer {
        Answer::New | Answer::Same => entry.is_none(),
        Answer::Cancelled(true) => by_name(asked).is_none() && !is_cancelled,
        Answer::Cancelled(false) => by_name(asked).is_none() && is_cancelled && cancels(plan, call) < 2,
        _ => false,
    };
    if wrong {
        let says = format!("{answer:?} was the answer, and it is not so");
        ledger.find(call, Condition::FalseAnswer, &says);
    }
}

/// The name by which a call was to be found; it may be another call's.
fn by_name(asked: &Asked) -> Option<u8> {
    match asked {
        Asked::About {
            what: What::CancelByName(name),
            ..
        } => Some(*name),
        _ => None,
    }
}

/// How often anybody wanted this call cancelled.
fn cancels(plan: &Plan, call: Number) -> usize {
    use super::plan::Item::Ask;
    let asks = plan.items.iter().filter(|item| match item {
        Ask {
            what: What::CancelByName(_),
            ..
        } => true,
        Ask {
            call: of,
            what: What::Cancel | What::CancelByKey | What::CancelOrSay,
            ..
        } => *of == call,
        _ => false,
    });
    asks.count()
}

/// Whether each process that was asked to end did so before it was killed.
fn late(moments: &[Moment]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut deadline = None;
    for moment in moments {
        match &moment.event {
            Event::Terminated { grace } => deadline = Some(moment.at + *grace + LAST_COMMITS),
            Event::Drained if deadline.is_some_and(|deadline| moment.at > deadline) => {
                let says = format!(
                    "the process ended {:?} too late",
                    deadline.map(|deadline| moment.at.saturating_sub(deadline))
                );
                let condition = Condition::Late;
                findings.push(Finding { condition, says });
            }
            _ => {}
        }
    }
    findings
}

/// Whether each process that was not killed counted what it committed.
fn metrics(moments: &[Moment]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut committed, mut doubtful) = (Tally::default(), 0);
    for moment in moments {
        match &moment.event {
            Event::Started(_) => (committed, doubtful) = (Tally::default(), 0),
            Event::Committed(commit) if commit.after.is_some() => {
                let has = |wanted: fn(&Step) -> bool| u64::from(commit.steps.iter().any(wanted));
                committed.dead += has(|step| matches!(step, Step::Bury(_)));
                committed.delivered += has(|step| *step == Step::Deliver);
                doubtful += u64::from(!commit.reported);
            }
            Event::Counted(counted) => {
                let off =
                    counted.dead.abs_diff(committed.dead) + counted.delivered.abs_diff(committed.delivered);
                if off > doubtful {
                    let says = format!("{counted:?} was counted where {committed:?} was committed");
                    let condition = Condition::Metrics;
                    findings.push(Finding { condition, says });
                }
            }
            _ => {}
        }
    }
    findings
}

/// Whether the store's counts are those of its jobs.
fn counts(world: &World) -> Vec<Finding> {
    let jobs = rest::all(world);
    let mut recount = Counts::default();
    for job in &jobs {
        recount.shift(None, Some(job.state));
    }
    let mut wrong = Vec::new();
    if recount != world.memory.counts() {
        wrong.push(format!("{:?} for {recount:?}", world.memory.counts()));
    }
    for client in jobs.iter().map(|job| job.client) {
        let used = used(&jobs, client);
        let counted = at_once(world.memory.client_use(client)).expect("memory is up");
        if counted != used {
            wrong.push(format!("{counted:?} of a client whose jobs use {used:?}"));
        }
    }
    let condition = Condition::Counts;
    wrong
        .into_iter()
        .map(|says| Finding { condition, says })
        .collect()
}

/// Whether the histories are what was committed.
fn histories(world: &World, moments: &[Moment]) -> Vec<Finding> {
    let mut written: BTreeMap<Number, u32> = BTreeMap::new();
    for moment in moments {
        if let Event::Committed(Commit {
            call,
            steps,
            after: Some(_),
            ..
        }) = &moment.event
        {
            let entries = steps.iter().filter(|step| **step == Step::Write).count();
            *written.entry(*call).or_default() += u32::try_from(entries).expect("one at most");
        }
    }
    let mut findings = Vec::new();
    for job in rest::all(world) {
        let call = world.number(job.id);
        let history = at_once(world.memory.history(job.id)).expect("memory is up");
        let numbers: Vec<u32> = history.iter().map(|(number, _)| *number).collect();
        let last = written.get(&call).copied().unwrap_or(0);
        let expected: Vec<u32> = (last.saturating_sub(KEPT) + 1..=last).collect();
        if numbers != expected {
            let says = format!("call {call}: its history has {numbers:?} for {expected:?}");
            let condition = Condition::History;
            findings.push(Finding { condition, says });
        }
    }
    findings
}

fn used(jobs: &[Job], client: Key) -> ClientUse {
    let mine = || jobs.iter().filter(|job| job.client == client);
    ClientUse {
        pending: mine().filter(|job| job.is_pending()).count() as u64,
        bytes: mine().map(|job| u64::from(job.size)).sum(),
    }
}

impl Asked {
    pub(super) fn call(&self) -> Number {
        match self {
            Self::Accept(call) => call.number,
            Self::About { call, .. } => *call,
        }
    }
}
