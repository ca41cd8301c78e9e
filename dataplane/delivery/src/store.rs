//! Where jobs are kept: one trait, one conformance suite, and the stores that pass it.
//!
//! The engine and the data plane hold an `Arc<dyn Store>`. A store decides nothing about a job: [`crate::job`] says what a
//! step leads to, and the engine which step to make. Invariant: a method that changes something returns only after the
//! change is as durable as the store can make it, and a change happens as a whole or not at all.

pub mod memory;
pub mod metrics;
pub mod redb;
pub mod scan;
pub mod seal;
pub mod space;

mod client_use;
mod codec;
#[cfg(test)]
pub(crate) mod conformance;
mod notices;
mod queue_counts;
pub(crate) mod roles;

use std::time::Duration;

use bytes::Bytes;

pub use self::client_use::ClientUse;
pub use self::roles::{Jobs, Ownership, People, Queues, SessionRows, Store, Upkeep, Waiting};
pub use self::scan::Scan;
pub use self::space::Space;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Call, Job, Key, Receiver, Stamp};
use crate::state::{Exec, Push, State};

/// A store failed. What was asked for must not be reported as done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be reached or is closed. Nothing was changed.
    #[error("the store is down: {0}")]
    Down(String),
    /// The commit was in progress when the store failed: what was asked for happened as a whole, or not at
    /// all. Read again before you act; what is read then is durable.
    #[error("the store failed during the commit: {0}")]
    Unknown(String),
    /// Another process owns the claiming process's jobs now.
    #[error("another process owns this process's jobs now; this one must exit")]
    Fenced,
    /// The rows of sessions use as much space as they may. Nothing was changed.
    #[error("the store keeps as many sessions as it has space for: older ones expire")]
    SessionsFull,
    /// A row cannot be read.
    #[error("the store is corrupt: {0}")]
    Corrupt(String),
    /// A value is intact, but encrypted with a key that is not in the key ring: it waits for the key.
    #[error(
        "the store has a value that is encrypted with key {key}, which is not in the key ring; put the key back \
         (in a cluster into `store.json` of the Secret <claim>-keys, else into `store.json` of the state directory)"
    )]
    Sealed {
        /// The key's id.
        key: u32,
    },
    /// Written by an earlier version, whose format this one does not read.
    #[error(
        "the store has format {found}, and this version reads format {known} only: let the version that wrote it \
         deliver its jobs, then start this version with an empty directory"
    )]
    OlderFormat {
        /// The file's format.
        found: u32,
        /// This version's format.
        known: u32,
    },
    /// Written by a newer version than this one.
    #[error(
        "the store has format {found}, and this version reads up to {known}: start the version that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The file's format.
        found: u32,
        /// This version's format.
        known: u32,
    },
}

impl Error {
    /// A closed set: the metric label and the reason in `/status`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Down(_) => "StoreDown",
            Self::Unknown(_) => "StoreCommitUnknown",
            Self::Fenced => "StoreFenced",
            Self::SessionsFull => "StoreSessionsFull",
            Self::Corrupt(_) => "StoreCorrupt",
            Self::Sealed { .. } => "StoreKeyMissing",
            Self::OlderFormat { .. } => "StoreOlderFormat",
            Self::NewerFormat { .. } => "StoreNewerFormat",
        }
    }
}

/// The result of an acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// A new job.
    New(JobId),
    /// The same call was accepted before; this is its job.
    Same(JobId),
    /// The same key, but other arguments: nothing was accepted.
    Conflict(JobId),
    /// The client is at one of its limits: nothing was accepted.
    ClientFull(ClientLimit),
    /// As many jobs are queued for the server as may be: nothing was accepted.
    ServerFull,
    /// The store has no space for another job: nothing was accepted.
    Full,
}

/// A limit of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientLimit {
    /// It has as many jobs pending as it may have.
    Pending,
    /// Its jobs, dead letters included, use its share of the store.
    Bytes {
        /// The share.
        share: u64,
    },
}

/// How many jobs are in each state; updated in the commit that changes the jobs, never by a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for execution.
    pub queued: u64,
    /// Executing.
    pub running: u64,
    /// Waiting for an attempt.
    pub due: u64,
    /// In an attempt.
    pub sending: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Counts {
    /// Unfinished jobs.
    pub fn pending(&self) -> u64 {
        self.queued + self.running + self.due + self.sending
    }

    /// Counts a job that went from `before` to `after`; `None` is before acceptance or after removal.
    pub fn shift(&mut self, before: Option<State>, after: Option<State>) {
        if let Some(count) = before.and_then(|state| self.slot(state)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = after.and_then(|state| self.slot(state)) {
            *count += 1;
        }
    }

    /// The count of a job in `state`; none if the job is over.
    fn slot(&mut self, state: State) -> Option<&mut u64> {
        match (state.exec, state.push) {
            (Exec::Queued, _) => Some(&mut self.queued),
            (Exec::Running, _) => Some(&mut self.running),
            (_, Push::Due) => Some(&mut self.due),
            (_, Push::Sending) => Some(&mut self.sending),
            (_, Push::Dead(_)) => Some(&mut self.dead),
            _ => None,
        }
    }
}

/// A key with which values of the store are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Its id in the key ring.
    pub id: u32,
    /// How many values.
    pub values: u64,
    /// Whether it is in the key ring. If not, its values wait for it.
    pub known: bool,
}

/// What is stored of a session beside its sealed id. Only the data plane reads the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Counts writes; 0 is "no row yet".
    pub version: u64,
    /// When the row may be removed.
    pub expires: Millis,
    /// At most 16 KiB.
    pub bytes: Bytes,
}

impl SessionRow {
    /// A key, its two indexes and their bookkeeping.
    const ROW: u64 = 128;

    /// The bytes it uses in memory.
    fn weight(&self) -> u64 {
        Self::ROW + self.bytes.len() as u64
    }
}

/// The result of the claim of one queued job.
#[derive(Clone, Debug)]
pub enum Claim {
    /// It runs from now on, and this is what it needs.
    Claimed(Box<Claimed>),
    /// It is not queued any more.
    Passed,
    /// It stays queued: what it needs cannot be read.
    Unreadable(Error),
}

/// A job that was queued and runs from now on.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its header.
    pub job: Job,
    /// Its snapshot.
    pub call: Call,
    /// The raw `params` for the server.
    pub params: Bytes,
}

/// A claim of deliveries that are due for one receiver.
#[derive(Clone, Debug)]
pub struct ClaimDue {
    /// The receiver.
    pub receiver: Receiver,
    /// How many may be claimed in all; live ones come first.
    pub room: usize,
    /// How many of them may be replayed ones.
    pub replays: usize,
    /// Whose deliveries are passed over, among the first [`ClaimDue::LOOK_AHEAD`].
    pub passed_over: Vec<Key>,
    /// Whose deliveries come after all others of their rank, among those.
    pub last: Option<Key>,
    /// Who claims, and when.
    pub stamp: Stamp,
}

impl ClaimDue {
    /// How many deliveries of each rank are read where some are passed over.
    pub const LOOK_AHEAD: usize = 256;

    /// How many are read for `room` claims.
    pub(crate) fn reads(&self, room: usize) -> usize {
        if (self.passed_over.is_empty() && self.last.is_none()) || room == 0 {
            room
        } else {
            Self::LOOK_AHEAD
        }
    }
}

/// The result of [`ClaimDue`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Jobs that are being sent from now on.
    pub claimed: Vec<Job>,
    /// When the receiver's earliest remaining delivery is due, live and replayed.
    pub next: [Option<Millis>; 2],
}

/// What [`Upkeep::evict`] is to delete.
#[derive(Clone, Copy, Debug)]
pub struct Evict {
    /// It stops once it has deleted this many bytes.
    pub bytes: u64,
    /// At most this many bodies at once.
    pub limit: usize,
    /// The time now.
    pub at: Millis,
}

/// What [`Upkeep::evict`] deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// Whose dead letters.
    pub client: Key,
    /// How many lost their bodies.
    pub jobs: u64,
    /// How many bytes these had.
    pub bytes: u64,
}

impl Evicted {
    pub(crate) fn none_of(client: Key) -> Self {
        let (jobs, bytes) = (0, 0);
        Self { client, jobs, bytes }
    }

    /// One more body, of this many bytes.
    pub(crate) fn add(&mut self, bytes: u32) {
        self.jobs += 1;
        self.bytes += u64::from(bytes);
    }
}

/// The times that [`Upkeep::sweep`] compares with.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The time now: session rows that expired before it are removed.
    pub now: Millis,
    /// Delivered, stopped and polled-only jobs that settled before this are removed.
    pub settled_before: Millis,
    /// Dead letters from before this are removed.
    pub dead_before: Millis,
    /// At most this many jobs and sessions at once.
    pub limit: usize,
}

/// How old the stored time may become while nothing else is written.
const HEARTBEAT: Duration = Duration::from_hours(1);
