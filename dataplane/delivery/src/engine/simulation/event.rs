//! What happened in a world, as data.
//!
//! Everything around the engine writes it down through `World::note`; `ledger` and `judge` look for what must
//! not be, `story` says it in words. Invariant: an event is written down when it takes effect, so their order is
//! the order in which things happened.

use std::time::Duration;

use bytes::Bytes;

use super::plan::{Edit, NewCall, Number, What};
use crate::clock::Millis;
use crate::job::Job;
use crate::state::{Category, End, Stage, State};
use crate::verdict::Verdict;

/// What happened, and when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    /// Since the start of the world.
    pub(super) at: Duration,
    pub(super) event: Event,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// A process started, with its clock at this time.
    Started(Millis),
    /// It was killed.
    Died,
    /// It was asked to end.
    Terminated {
        grace: Duration,
    },
    /// It ended on request.
    Drained,
    /// What its metrics say at its end.
    Counted(Tally),
    Edited(Edit),
    /// Nothing goes wrong from here on.
    Calm,
    /// Nothing happens to these any more, although they are not over.
    Stuck(Vec<Number>),
    Asked {
        ask: u32,
        asked: Asked,
    },
    Answered {
        ask: u32,
        answer: Answer,
    },
    HungUp {
        ask: u32,
    },
    /// The store made a commit.
    Committed(Commit),
    /// The store refused one.
    Refused {
        call: Number,
        steps: Vec<Step>,
    },
    /// An execution began: a call reached a server, or a server was asked to resume one.
    Executing {
        call: Number,
        resumed: bool,
    },
    /// The server could not be reached.
    NotSent {
        call: Number,
    },
    /// An execution notified its server that it is cancelled.
    CancelTold {
        call: Number,
    },
    ExecutionOver {
        call: Number,
        how: ExecutionEnd,
    },
    /// An attempt began.
    Posted {
        call: Number,
        claim: Claim,
        body: Bytes,
        signed: bool,
    },
    AttemptOver {
        call: Number,
        claim: Claim,
        how: AttemptEnd,
    },
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) dead: u64,
    pub(super) delivered: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    Accept(NewCall),
    About { call: Number, what: What },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    New,
    Same,
    Conflict,
    /// A limit was reached.
    Full,
    /// The process is ending.
    Closed,
    /// The job was cancelled, or it was not.
    Cancelled(bool),
    Moved,
    Impossible(Stage),
    Unknown,
    Count(usize),
    Done,
    StoreFailed,
}

/// A commit that concerns one call's job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Commit {
    pub(super) call: Number,
    pub(super) steps: Vec<Step>,
    pub(super) before: Option<Place>,
    /// `None`: it changed nothing.
    pub(super) after: Option<Place>,
    /// Whether the store reported it; if not, it said that it failed.
    pub(super) reported: bool,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) state: State,
    pub(super) claim: Claim,
    /// When its next attempt is due, if one is.
    pub(super) turn: Millis,
    pub(super) executions: u8,
}

/// Tells the claims of one job apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    replays: u32,
    attempts: u32,
    turn: Millis,
}

/// A change of a job.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Accept,
    Start,
    Release,
    PutOff,
    Token,
    Name,
    Resume,
    Suspend,
    Poison,
    Finish {
        end: End,
        body: Bytes,
    },
    Claim,
    /// An entry of its history.
    Write,
    Retry(Option<Category>),
    Deliver,
    Bury(Category),
    /// The event of a dead letter.
    Notify,
    Stop,
    Evict,
    Replay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExecutionEnd {
    Answered(End),
    Lost,
    /// It returned because it was cancelled.
    Stopped,
    /// Nobody waited for it any more.
    Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptEnd {
    Answered(Verdict),
    /// Nobody waited for it any more, or it panicked.
    Dropped,
}

impl Claim {
    pub(super) fn of(job: &Job) -> Self {
        Self {
            replays: job.replays,
            attempts: job.attempts,
            turn: job.turn,
        }
    }
}

impl Place {
    pub(super) fn of(job: &Job) -> Self {
        Self {
            state: job.state,
            claim: Claim::of(job),
            turn: job.turn,
            executions: job.executions,
        }
    }
}
