//! A job as the store keeps it: what acceptance fixed ([`Call`]), what changes ([`Job`]), and the one function that
//! changes it ([`Job::after_step`]).
//!
//! Every store calls [`Job::after_step`] and files the job under [`Job::rows`]; nothing else decides either. Only plain
//! values and pure functions live here: no store, no clock, no task. Invariant: a job's index rows are a function of its
//! header alone.

mod change;
mod notice;
mod owner;
mod rows;
mod step;
mod target;

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use self::change::Change;
pub use self::notice::{Death, Notice, NoticeTo, TYPE as NOTICE_TYPE};
pub use self::owner::{Owner, Stamp};
pub use self::rows::{Rank, Rows};
pub use self::step::{Applied, Expect, Step};
pub use self::target::{Receiver, Target, shown as shown_url};
use crate::clock::Millis;
use crate::id::JobId;
use crate::state::{Category, State};

/// A short stable name for something that jobs are indexed by: a server, a client, a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 8]);

impl Key {
    /// The key of `text`: the first eight bytes of its SHA-256.
    pub fn of(text: &str) -> Self {
        let mut key = [0; 8];
        key.copy_from_slice(&Sha256::digest(text)[..8]);
        Self(key)
    }
}

/// What a job does when the process dies while its server call is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInterruption {
    /// Ends as [`crate::state::End::Unknown`]; the tool runs at most once.
    Fail,
    /// Runs again.
    Retry,
}

/// When failed attempts are repeated; fixed at acceptance. The arithmetic is in `schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// wait n = min(`initial` x 2^(n-1), `max`), plus or minus `jitter_percent`.
    Exponential {
        /// Retries after the first attempt.
        retries: u32,
        /// The first wait.
        initial: Duration,
        /// The longest wait.
        max: Duration,
        /// Random variation of each wait, in percent.
        jitter_percent: u8,
    },
    /// One wait per retry, plus or minus `jitter_percent`.
    Schedule {
        /// The waits, first to last.
        waits: Vec<Duration>,
        /// Random variation of each wait, in percent.
        jitter_percent: u8,
    },
}

/// The W3C trace context of the accepting span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The `traceparent` header; empty when there is no trace.
    pub parent: String,
    /// The `tracestate` header; may be empty.
    pub state: String,
}

/// What acceptance recorded and nothing changes: the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The server's name in the route.
    pub server: String,
    /// The tool's name on that server.
    pub tool: String,
    /// The tool's name as the client sees it.
    pub shown_as: String,
    /// The client's JSON-RPC id, raw: `5` is not `"5"`.
    pub request_id: String,
    /// Whose call it is: the principal; without authentication, the session's sid.
    pub client: String,
    /// The limit for one execution, from dispatch to the server.
    pub timeout: Duration,
    /// What to do when an execution is interrupted.
    pub on_interruption: OnInterruption,
    /// Where the result goes; `None` for a job that is only polled.
    pub target: Option<Target>,
    /// When failed attempts are repeated.
    pub retry: Retry,
    /// The accepting span.
    pub trace: Trace,
    /// Whether the server is asked to run it as a task of its own, which outlives a connection.
    pub as_task: bool,
    /// Who may ask for it by its id; `None` where nothing ties one request of its client to the next.
    pub owner: Option<[u8; 16]>,
}

/// How the same call is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dedupe {
    /// SHA-256 over the scope and the idempotency key, or the sid and the JSON-RPC id.
    pub key: [u8; 32],
    /// SHA-256 over the raw text of the arguments.
    pub fingerprint: [u8; 32],
}

/// A call about to be accepted.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id, made by the caller from the time and random bytes.
    pub id: JobId,
    /// The acceptance's time.
    pub at: Millis,
    /// The snapshot.
    pub call: Call,
    /// The raw `params` for the server's `tools/call`.
    pub params: Bytes,
    /// How the same call is recognised.
    pub dedupe: Dedupe,
    /// Other names under which it is found, as by [`Change::Name`]; at most [`Job::NAMES`].
    pub names: Vec<[u8; 32]>,
    /// The call is refused while its client has this many jobs pending
    /// (`webhook.perClient.maxPending`).
    pub max_pending: u64,
    /// The call is refused while this many jobs are queued for its server (`servers[].maxQueuedJobs`).
    pub max_queued: u64,
    /// How much longer than others its client wants it kept once it is over.
    pub kept_longer: Duration,
}

/// The header: the part of a job that changes. Small (under 400 bytes in a store), because every step rewrites it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Steps that were applied, its acceptance included.
    pub version: u64,
    /// Its place on both axes.
    pub state: State,
    /// The process that runs or sends it; `None` if there is none.
    pub owner: Option<Owner>,
    /// Claims so far, of executions and of attempts: distinguishes one holder from the next. Unlike `attempts` it
    /// never decreases.
    pub run: u32,
    /// The server it runs on.
    pub server: Key,
    /// The client it belongs to.
    pub client: Key,
    /// The receiver it goes to; `None` for a job that is only polled.
    pub receiver: Option<Receiver>,
    /// The key under which the same call finds it.
    pub dedupe: [u8; 32],
    /// Other names under which it is found; at most [`Job::NAMES`]. A name that another job had first stays with that job.
    pub names: Vec<[u8; 32]>,
    /// When it was accepted.
    pub accepted: Millis,
    /// When the last execution began.
    pub started: Option<Millis>,
    /// Since when its server could not be reached or had no capacity: the first execution that was put off since it was
    /// accepted or interrupted.
    pub unsent_since: Option<Millis>,
    /// When the call ended: the result's time, from which `maxAge` counts.
    pub ended: Option<Millis>,
    /// When the next attempt is due, or the last attempt began, or the delivery ended.
    pub turn: Millis,
    /// Executions begun.
    pub executions: u8,
    /// Attempts that count against the retries: begun, and not interrupted by our shutdown.
    pub attempts: u32,
    /// How often an administrator replayed it.
    pub replays: u32,
    /// When that was last; a replayed delivery's age counts from then on.
    pub replayed: Option<Millis>,
    /// Why the last attempt failed.
    pub last: Option<Category>,
    /// Bytes of its arguments; once it ended, of its body; 0 once the body was deleted early.
    pub size: u32,
    /// Whether the store has a token with which an interrupted execution can be resumed.
    pub has_resume_token: bool,
    /// Ended as unknown because it was interrupted too often: it may be the cause.
    pub poisoned: bool,
    /// Ended with a result in which the tool itself reports failure.
    pub tool_failed: bool,
    /// How much longer than others it is kept once it is over.
    pub kept_longer: Duration,
}

impl Job {
    /// How many names a job has beside its dedupe key.
    pub const NAMES: usize = 4;

    /// The header of a job just accepted.
    pub fn accepted(new: &NewJob) -> Self {
        Self {
            id: new.id,
            version: 1,
            state: State::ACCEPTED,
            owner: None,
            run: 0,
            server: Key::of(&new.call.server),
            client: Key::of(&new.call.client),
            receiver: new.call.target.as_ref().map(Target::receiver),
            dedupe: new.dedupe.key,
            names: new.names.clone(),
            accepted: new.at,
            started: None,
            unsent_since: None,
            ended: None,
            turn: new.at,
            executions: 0,
            attempts: 0,
            replays: 0,
            replayed: None,
            last: None,
            size: size(&new.params),
            has_resume_token: false,
            poisoned: false,
            tool_failed: false,
            kept_longer: new.kept_longer,
        }
    }

    /// Whether whose it is and where it goes are as `call` says, which is encrypted where there is a key; a header is not.
    pub(crate) fn is_of(&self, call: &Call, dedupe: [u8; 32]) -> bool {
        self.server == Key::of(&call.server)
            && self.client == Key::of(&call.client)
            && self.receiver == call.target.as_ref().map(Target::receiver)
            && self.dedupe == dedupe
    }

    /// Whether it is unfinished; counted per client.
    pub fn is_pending(&self) -> bool {
        !self.state.is_settled()
    }
}

fn size(payload: &Bytes) -> u32 {
    u32::try_from(payload.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
