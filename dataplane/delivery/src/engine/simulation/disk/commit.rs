//! The commits of a [`super::Disk`]: what memory makes of them, and what the world's ledger gets.
//!
//! Invariant: a commit that changed something is recorded with the job's state before and after it.

use futures::FutureExt;

use crate::engine::simulation::event::{Commit, Event, Place, Step};
use crate::engine::simulation::plan::Number;
use crate::engine::simulation::world::World;
use crate::id::JobId;
use crate::job::{self, Applied, Change, Job, NewJob, Notice, Stamp};
use crate::state::{End, Push, State};
use crate::store::roles::*;
use crate::store::{Acceptance, Claim, ClaimDue, Due, Error};

/// What the store in memory answers, which it does at once.
pub(in crate::engine::simulation) fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("memory never waits")
}

pub(super) fn accept(world: &World, new: NewJob, call: Number, reported: bool) -> Result<Acceptance, Error> {
    let id = new.id;
    let acceptance = at_once(world.memory.accept(new))?;
    if matches!(acceptance, Acceptance::New(_)) {
        world.change(call, |known| known.job = Some(id));
        let accepted = at_once(world.memory.job(id))?.map(|job| Place::of(&job));
        note(world, call, vec![Step::Accept], (None, accepted), reported);
    }
    Ok(acceptance)
}

pub(super) fn apply(
    world: &World,
    (id, step): (JobId, job::Step),
    call: Number,
    reported: bool,
) -> Result<Applied, Error> {
    let steps = steps(&step.changes);
    let notice = step.changes.iter().find_map(Change::notice).cloned();
    let before = place(world, id)?;
    let applied = at_once(world.memory.apply(id, step))?;
    let after = match &applied {
        Applied::Applied(job) => Some(Place::of(job)),
        Applied::Moved(_) | Applied::Gone | Applied::Fenced => None,
    };
    note(world, call, steps, (before, after), reported);
    if let Some(notice) = notice.filter(|_| after.is_some()) {
        born(world, notice, reported)?;
    }
    Ok(applied)
}

/// An event was stored with the step; from here on it is as a call that ended.
fn born(world: &World, notice: Notice, reported: bool) -> Result<(), Error> {
    let Some(place) = place(world, notice.id)? else {
        return Ok(()); // there was no space for it
    };
    let number = world.number_of_event(notice.id);
    world.change(number, |known| known.job = Some(notice.id));
    let (end, body) = (End::Result, notice.body);
    let steps = vec![Step::Finish { end, body }];
    note(world, number, steps, (None, Some(place)), reported);
    Ok(())
}

fn place(world: &World, id: JobId) -> Result<Option<Place>, Error> {
    Ok(at_once(world.memory.job(id))?.map(|job| Place::of(&job)))
}

pub(super) fn claim_queued(
    world: &World,
    ids: &[JobId],
    stamp: Stamp,
    reported: bool,
) -> Result<Vec<Claim>, Error> {
    let mut claims = Vec::new();
    for id in ids {
        let before = place(world, *id)?;
        for claim in at_once(world.memory.claim_queued(&[*id], stamp))? {
            let after = match &claim {
                Claim::Claimed(claimed) => Some(Place::of(&claimed.job)),
                Claim::Passed | Claim::Unreadable(_) => None,
            };
            note(
                world,
                world.number(*id),
                vec![Step::Start],
                (before, after),
                reported,
            );
            claims.push(claim);
        }
    }
    Ok(claims)
}

pub(super) fn claim_due(world: &World, claim: ClaimDue, reported: bool) -> Result<Due, Error> {
    let due = at_once(world.memory.claim_due(claim))?;
    for job in &due.claimed {
        let state = State {
            push: Push::Due,
            ..job.state
        };
        let before = Place::of(&Job { state, ..job.clone() });
        let moved = (Some(before), Some(Place::of(job)));
        note(world, world.number(job.id), vec![Step::Claim], moved, reported);
    }
    Ok(due)
}

fn note(
    world: &World,
    call: Number,
    steps: Vec<Step>,
    (before, after): (Option<Place>, Option<Place>),
    reported: bool,
) {
    world.change(call, |_moved| ());
    world.note(Event::Committed(Commit {
        call,
        steps,
        before,
        after,
        reported,
    }));
}

pub(super) fn steps(changes: &[Change]) -> Vec<Step> {
    changes.iter().map(step).collect()
}

fn step(change: &Change) -> Step {
    match change {
        Change::Start => Step::Start,
        Change::Release => Step::Release,
        Change::PutOff => Step::PutOff,
        Change::ResumeToken { .. } => Step::Token,
        Change::Name { .. } => Step::Name,
        Change::Resume => Step::Resume,
        Change::Suspend => Step::Suspend,
        Change::Poison => Step::Poison,
        Change::Finish { end, body } => Step::Finish {
            end: *end,
            body: body.clone(),
        },
        Change::Claim => Step::Claim,
        // No tool of the simulation reports failure in its result.
        Change::Attempted(_) | Change::ToolFailed => Step::Write,
        Change::Retry { why, .. } => Step::Retry(*why),
        Change::Deliver => Step::Deliver,
        Change::Bury { why } => Step::Bury(*why),
        Change::Notify(_) => Step::Notify,
        Change::Stop => Step::Stop,
        Change::Evict => Step::Evict,
        Change::Replay => Step::Replay,
    }
}
