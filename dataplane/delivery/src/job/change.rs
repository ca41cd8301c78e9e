//! What can be changed of a job, and the header after it: [`Job::after`].
//!
//! The engine makes changes, every store applies them through [`Job::after_step`]. Invariant: a job
//! has an owner exactly from a claim ([`Change::Start`], [`Change::Resume`], [`Change::Claim`]) until it
//! is neither running nor sent any more, and `run` grows with each claim.

use bytes::Bytes;

use super::notice::Notice;
use super::owner::{Owner, Stamp};
use super::{Job, size};
use crate::clock::Millis;
use crate::history;
use crate::state::{Category, End, Event};

/// One step of a job. Several may be applied in one commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Execution begins.
    Start,
    /// The execution goes back to the queue.
    Release,
    /// The execution goes back to the queue, as if it had not begun: its server could not be reached, or had no
    /// capacity.
    PutOff,
    /// A token with which the execution can be resumed, in place of the one before. It goes
    /// when the execution ends or goes back to the queue.
    ResumeToken {
        /// The executor wrote it and reads it.
        token: Bytes,
    },
    /// The call is found under this name, too, as long as it has not ended.
    Name {
        /// As unique as a dedupe key.
        name: [u8; 32],
    },
    /// A new process resumes the execution; counts as one that began.
    Resume,
    /// This process leaves the execution to the next one because of its shutdown: resuming it
    /// then does not count as another execution.
    Suspend,
    /// It was interrupted too often to be tried again; comes before the [`Change::Finish`].
    Poison,
    /// The tool itself reports failure in its result; comes before the [`Change::Finish`].
    ToolFailed,
    /// The call ended; `body` is the JSON-RPC response that the client is to get.
    Finish {
        /// How.
        end: End,
        /// What is delivered, byte for byte.
        body: Bytes,
    },
    /// An attempt begins.
    Claim,
    /// How the attempt went, for the job's history. The change that ends the attempt follows it.
    Attempted(history::Entry),
    /// The attempt failed; the next is due at `at`.
    Retry {
        /// When the next attempt is due.
        at: Millis,
        /// Why this one failed; `None` when it uses no retry (interrupted by our
        /// shutdown, or a fault of ours).
        why: Option<Category>,
    },
    /// The receiver has it.
    Deliver,
    /// No attempt will follow. `why` is the last attempt's category, or `Expired`.
    Bury {
        /// Why.
        why: Category,
    },
    /// The event of the dead letter that the step leaves is stored as a job of its own, where there is space.
    Notify(Box<Notice>),
    /// An administrator stops the delivery.
    Stop,
    /// The dead letter, or the delivery that was stopped, loses its body, so that there is room in the store.
    Evict,
    /// An administrator replays it.
    Replay,
}

impl Change {
    /// What it adds to the job's history.
    pub fn entry(&self) -> Option<&history::Entry> {
        match self {
            Self::Attempted(entry) => Some(entry),
            _ => None,
        }
    }

    /// The event that it brings.
    pub fn notice(&self) -> Option<&Notice> {
        match self {
            Self::Notify(notice) => Some(notice),
            _ => None,
        }
    }

    /// Whether it writes a row beside the header.
    pub(super) fn writes_a_row(&self) -> bool {
        matches!(
            self,
            Self::Attempted(_) | Self::Notify(_) | Self::ResumeToken { .. }
        )
    }

    /// The change as the state table knows it.
    fn event(&self, job: &Job) -> Event {
        match self {
            Self::Start => Event::Start,
            Self::Release | Self::PutOff => Event::Release,
            Self::ResumeToken { .. } | Self::Resume | Self::Suspend | Self::Poison | Self::ToolFailed => {
                Event::Annotate
            }
            Self::Finish { end, .. } => Event::Finish {
                end: *end,
                deliver: job.receiver.is_some(),
            },
            Self::Name { .. } => Event::Name,
            Self::Claim => Event::Claim,
            Self::Attempted(_) => Event::Attempted,
            Self::Retry { .. } => Event::Retry,
            Self::Deliver => Event::Deliver,
            Self::Bury { why } => Event::Bury(*why),
            Self::Notify(_) => Event::Notify,
            Self::Stop => Event::Stop,
            Self::Evict => Event::Evict,
            Self::Replay => Event::Replay,
        }
    }
}

impl Job {
    /// The header after `change`, or `None` where the state table lists no such step.
    #[must_use]
    pub fn after(&self, change: &Change, stamp: Stamp) -> Option<Self> {
        let Stamp { by, at: now } = stamp;
        let state = self.state.after(change.event(self))?;
        let mut job = Self {
            state,
            turn: now,
            ..self.clone()
        };
        match change {
            Change::Start => {
                job.claim(by);
                job.started = Some(now);
                job.executions = job.executions.saturating_add(1);
            }
            Change::Name { name } => {
                job.turn = self.turn;
                let known = job.dedupe == *name || job.names.contains(name);
                if job.names.len() < Self::NAMES && !known {
                    job.names.push(*name);
                }
            }
            Change::ResumeToken { .. } => {
                job.turn = self.turn;
                job.has_resume_token = true;
            }
            Change::Resume => {
                job.claim(by);
                job.executions = job.executions.saturating_add(1);
            }
            Change::Suspend => job.executions = job.executions.saturating_sub(1),
            Change::Poison => job.poisoned = true,
            Change::ToolFailed => job.tool_failed = true,
            Change::Release => job.release(),
            Change::PutOff => job.put_off(),
            Change::Finish { body, .. } => {
                job.ended = Some(now);
                job.size = size(body);
                job.has_resume_token = false;
            }
            Change::Claim => {
                job.claim(by);
                job.attempts = job.attempts.saturating_add(1);
            }
            Change::Attempted(_) | Change::Notify(_) => job.turn = self.turn,
            Change::Retry { at, why } => job.retry(*at, *why),
            Change::Bury { why } => job.last = Some(*why),
            Change::Evict => {
                job.turn = self.turn; // it is as old as before
                job.size = 0;
            }
            Change::Replay => {
                job.replays = job.replays.saturating_add(1);
                job.replayed = Some(now);
                job.attempts = 0;
            }
            Change::Deliver | Change::Stop => {}
        }
        job.owner = job.owner.filter(|_| job.state.is_in_flight());
        Some(job)
    }

    /// It was interrupted, and may run again: what it waited for before is over.
    fn release(&mut self) {
        self.has_resume_token = false;
        self.unsent_since = None;
    }

    fn put_off(&mut self) {
        self.has_resume_token = false;
        self.executions = self.executions.saturating_sub(1);
        self.unsent_since = self.unsent_since.or(self.started);
    }

    fn retry(&mut self, at: Millis, why: Option<Category>) {
        self.turn = at;
        self.last = why.or(self.last);
        self.attempts -= u32::from(why.is_none() && self.attempts > 0);
    }

    fn claim(&mut self, by: Owner) {
        self.owner = Some(by);
        self.run = self.run.wrapping_add(1);
    }
}
