//! What the writer is asked to do, and how its answer waits for the commit.
//!
//! Invariant: a reply is sent after the commit or dropped; never sent before it.

use tokio::sync::oneshot;

use super::fault::Fault;
use super::group::Group;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Job, NewJob};
use crate::store::{Acceptance, Error, SessionRow, Sweep};

/// Whom to answer.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Somebody who waits for the commit; dropping it tells them that it failed.
pub(super) type Waiter = Box<dyn FnOnce() + Send>;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Op {
    Accept(Box<NewJob>, Reply<Acceptance>),
    Apply(JobId, Vec<Change>, Millis, Reply<Option<Job>>),
    Sweep(Sweep, Reply<usize>),
    Swap([u8; 16], SessionRow, Reply<bool>),
    /// Commit what came before, close the file, end.
    Close(Reply<()>),
}

/// What an operation weighs beside its payload, roughly.
const OVERHEAD: usize = 512;

impl Op {
    /// How many bytes it adds to a group.
    pub(super) fn weight(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Accept(job, _) => job.params.len(),
                Self::Apply(_, changes, ..) => changes.iter().map(payload).sum(),
                Self::Swap(_, row, _) => row.bytes.len(),
                Self::Sweep(..) | Self::Close(_) => 0,
            }
    }

    /// Does it, and adds whoever waits for the commit to `waiters`, also when it fails.
    pub(super) fn run(self, group: &mut Group<'_>, waiters: &mut Vec<Waiter>) -> Result<(), Fault> {
        match self {
            Self::Accept(job, reply) => wait(waiters, reply, group.accept(&job)),
            Self::Apply(id, changes, now, reply) => wait(waiters, reply, group.apply(id, &changes, now)),
            Self::Sweep(sweep, reply) => wait(waiters, reply, group.sweep(&sweep)),
            Self::Swap(sid, row, reply) => wait(waiters, reply, group.swap_session(sid, &row)),
            Self::Close(reply) => wait(waiters, reply, Ok(())),
        }
    }
}

fn payload(change: &Change) -> usize {
    match change {
        Change::Finish { body, .. } => body.len(),
        _ => 0,
    }
}

/// A row's fault is the operation's own answer; redb's fault is everybody's.
fn wait<T: Send + 'static>(
    waiters: &mut Vec<Waiter>,
    reply: Reply<T>,
    done: Result<T, Fault>,
) -> Result<(), Fault> {
    let (answer, spoilt) = match done {
        Ok(answer) => (Ok(answer), Ok(())),
        Err(Fault::Row(error)) => (Err(error), Ok(())),
        Err(fault) => (Err(Error::Down("the commit failed".to_owned())), Err(fault)),
    };
    waiters.push(Box::new(move || {
        let _ = reply.send(answer); // a caller that left gets no answer
    }));
    spoilt
}
