//! One step of a job: what is changed, who changes it, and what the job must still be for it.
//!
//! The engine makes steps, every store applies them through [`Job::after_step`]. This is the fence: the steps of a late
//! attempt, a late execution or a paused process expect a state that is past, and change nothing.
//! Invariant: the holder of a job (it runs or sends it) expects its own claim, never a version, because a name or a
//! resume token that is committed meanwhile must not cost an outcome.

use super::Job;
use super::change::Change;
use super::owner::{Owner, Stamp};
use crate::clock::Millis;
use crate::state::{Category, Exec, Push};

/// What a job must be for a step to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever the state table allows: people and clients decide by what they see.
    Any,
    /// Exactly what was read: nothing was applied since.
    Version(u64),
    /// Held by the process that makes the step, under this claim: its [`Job::run`].
    Held(u32),
}

/// Changes that are applied to one job in one commit, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What the job must be.
    pub expect: Expect,
    /// Who makes the step, and when.
    pub stamp: Stamp,
    /// What is changed, in order.
    pub changes: Vec<Change>,
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a step that changed nothing must not be acted on"]
pub enum Applied {
    /// It is committed, and this is the job after it.
    Applied(Job),
    /// Nothing changed: the job is not what the step expects, or the state table lists no such step.
    /// This is the job as it is.
    Moved(Job),
    /// Nothing changed: the job was removed.
    Gone,
    /// Nothing changed: another process owns the jobs now.
    Fenced,
}

impl Expect {
    pub(super) fn holds(self, job: &Job, by: Owner) -> bool {
        match self {
            Self::Any => true,
            Self::Version(version) => job.version == version,
            Self::Held(run) => job.is_held(by, run),
        }
    }
}

impl Step {
    /// Changes that expect nothing but what the state table says.
    pub fn any(by: Owner, changes: Vec<Change>, at: Millis) -> Self {
        Self {
            expect: Expect::Any,
            stamp: Stamp { by, at },
            changes,
        }
    }

    /// Whether `job` is where this step leads, so that a commit in doubt did happen. Only for a job to which the step
    /// can no longer be applied: while a job is held, only its holder ends its call or its attempt, except for a
    /// cancellation or a stop, which lead elsewhere.
    pub fn leads_to(&self, job: &Job) -> bool {
        self.changes.iter().all(|change| match change {
            Change::Start | Change::Resume => {
                job.state.exec == Exec::Running && job.owner == Some(self.stamp.by)
            }
            Change::Release | Change::PutOff => job.state.exec == Exec::Queued,
            Change::Finish { end, .. } => job.state.exec == Exec::Ended(*end),
            Change::Retry { at, .. } => job.state.push == Push::Due && job.turn == *at,
            Change::Deliver => job.state.push == Push::Delivered,
            Change::Bury { why } => job.state.push == Push::Dead(*why),
            Change::Stop => job.state.push == Push::Stopped,
            Change::Evict => job.state.push == Push::Dead(Category::Evicted),
            Change::Replay => matches!(job.state.push, Push::Due | Push::Sending) && job.replays > 0,
            Change::Name { name } => job.names.contains(name),
            // What comes with one of the others, or can be applied once more.
            Change::Claim
            | Change::Attempted(_)
            | Change::Notify(_)
            | Change::ResumeToken { .. }
            | Change::Suspend
            | Change::Poison
            | Change::ToolFailed => true,
        })
    }
}

impl Applied {
    /// The job, where the step is committed.
    pub fn job(self) -> Option<Job> {
        match self {
            Self::Applied(job) => Some(job),
            Self::Moved(_) | Self::Gone | Self::Fenced => None,
        }
    }
}

impl Job {
    /// The header after `step`, or `None` where it is not what the step expects, or where the state
    /// table does not list one of its changes.
    #[must_use]
    pub fn after_step(&self, step: &Step) -> Option<Self> {
        if !step.expect.holds(self, step.stamp.by) {
            return None;
        }
        let changes = step.changes.iter();
        let mut job = changes
            .clone()
            .try_fold(self.clone(), |job, change| job.after(change, step.stamp))?;
        let moved = job != *self || changes.clone().any(Change::writes_a_row);
        job.version += u64::from(moved);
        Some(job)
    }

    /// Whether `owner` runs or sends it under the claim `run`.
    pub fn is_held(&self, owner: Owner, run: u32) -> bool {
        self.owner == Some(owner) && self.run == run && self.state.is_in_flight()
    }
}

#[cfg(test)]
mod tests;
