//! The operations of the writer, and their replies, which wait for the commit.
//!
//! The store's methods send them, the group runs them. Invariant: a reply is sent after the commit or dropped; never
//! sent before it.

use tokio::sync::oneshot;

use super::vault::Stowed;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Applied, Job, NewJob, Notice, Stamp, Step};
use crate::store::{Acceptance, ClaimDue, Due, Error, Evict, Evicted, Sweep};

/// Where the reply goes.
pub(super) type ReplyTo<T> = oneshot::Sender<Result<T, Error>>;

/// A reply that waits for the commit; dropping it reports that the commit failed.
pub(super) type Waiter = Box<dyn FnOnce() + Send>;

/// A job to accept: what decides about it, and its values.
#[derive(Debug)]
pub(super) struct Accept {
    pub(super) new: NewJob,
    pub(super) call: Vec<u8>,
    pub(super) params: Stowed,
}

/// A step of one job.
#[derive(Debug)]
pub(super) struct Apply {
    pub(super) id: JobId,
    pub(super) step: Step,
    pub(super) body: Option<Stowed>,
    /// The value of a resume token.
    pub(super) token: Option<Vec<u8>>,
    pub(super) notice: Option<Box<Notify>>,
}

/// The event of a dead letter, and its values.
#[derive(Debug)]
pub(super) struct Notify {
    pub(super) notice: Notice,
    pub(super) call: Vec<u8>,
    pub(super) body: Stowed,
}

impl Apply {
    /// A step that brings no values.
    pub(super) fn bare(id: JobId, step: Step) -> Self {
        Self {
            id,
            step,
            body: None,
            token: None,
            notice: None,
        }
    }
}

/// A session's next row.
#[derive(Debug)]
pub(super) struct Swap {
    pub(super) sid: [u8; 16],
    pub(super) version: u64,
    pub(super) expires: Millis,
    pub(super) value: Vec<u8>,
}

/// One thing to write.
#[derive(Debug)]
pub(super) enum Op {
    Accept(Box<Accept>, ReplyTo<Acceptance>),
    Apply(Box<Apply>, ReplyTo<Applied>),
    /// Replies with one result per job, in order; `None` if it was not queued.
    Start(Vec<JobId>, Stamp, ReplyTo<Vec<Option<Job>>>),
    ClaimDue(ClaimDue, ReplyTo<Due>),
    Remove(JobId, Stamp, ReplyTo<Applied>),
    Sweep(Sweep, ReplyTo<usize>),
    Swap(Swap, ReplyTo<bool>),
    /// At most this many delivered results.
    Reclaim(usize, ReplyTo<usize>),
    Evict(Evict, ReplyTo<Option<Evicted>>),
    /// Commit what came before, close the file, end.
    Close(ReplyTo<()>),
}

/// The approximate size of an operation without its payload.
const OVERHEAD: usize = 512;

impl Op {
    /// How many bytes it adds to a group.
    pub(super) fn weight(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Accept(accept, _) => accept.params.value.len(),
                Self::Apply(apply, _) => {
                    let body = apply.body.as_ref().map_or(0, |body| body.value.len());
                    body + if apply.notice.is_some() { OVERHEAD * 4 } else { 0 }
                }
                Self::Swap(swap, _) => swap.value.len(),
                Self::Start(ids, ..) => OVERHEAD * ids.len(),
                Self::ClaimDue(claim, _) => OVERHEAD * claim.room,
                Self::Remove(..) | Self::Sweep(..) | Self::Reclaim(..) | Self::Evict(..) | Self::Close(_) => {
                    0
                }
            }
    }
}
