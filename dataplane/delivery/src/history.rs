//! The history of a job's attempts, as its store keeps it for people.
//!
//! The engine writes an [`Entry`] with the commit that ends an attempt; the jobs API shows them. Invariant:
//! a job delivered by its first attempt has none, since its header says everything.

use std::time::Duration;

use crate::clock::Millis;
use crate::state::{Category, Fault};

/// How many entries of a job are kept: the newest.
pub const KEPT: u32 = 64;

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It failed, and another attempt follows.
    Retry,
    /// It failed, and none follows.
    Dead,
    /// Interrupted by our shutdown; it uses no retry.
    Interrupted,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Retry, Self::Dead, Self::Interrupted];

    /// Its name in logs, metrics and the jobs API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::Dead => "dead",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One attempt. The store numbers a job's entries from 1, also when old ones are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How often the job had been replayed by then.
    pub replay: u32,
    /// When it began.
    pub started: Millis,
    /// How long it took; `None` if the process died during it.
    pub duration: Option<Duration>,
    /// How it went.
    pub outcome: Outcome,
    /// What was wrong with the receiver.
    pub category: Option<Category>,
    /// What was wrong on our side.
    pub fault: Option<Fault>,
    /// The answer's status.
    pub status: Option<u16>,
    /// When the next attempt was to be.
    pub next: Option<Millis>,
}
