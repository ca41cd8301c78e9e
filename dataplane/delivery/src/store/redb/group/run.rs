//! Running one operation in the group, and its reply, which waits for the commit.
//!
//! The writer runs every operation here. Invariant: an operation that fails because of one row fails alone.

use super::Group;
use crate::store::Error;
use crate::store::redb::fault::Fault;
use crate::store::redb::op::{Op, ReplyTo, Waiter};

impl Group<'_> {
    /// Runs one operation, and adds its reply to `waiters`, also when it fails.
    pub(in crate::store::redb) fn run(&mut self, op: Op, waiters: &mut Vec<Waiter>) -> Result<(), Fault> {
        match op {
            Op::Accept(accept, reply) => wait(waiters, reply, self.accept(*accept)),
            Op::Apply(apply, reply) => wait(waiters, reply, self.apply(*apply)),
            Op::Start(ids, stamp, reply) => wait(waiters, reply, self.start(&ids, stamp)),
            Op::ClaimDue(claim, reply) => wait(waiters, reply, self.claim_due(&claim)),
            Op::Remove(id, stamp, reply) => wait(waiters, reply, self.remove_settled(id, stamp)),
            Op::Sweep(sweep, reply) => wait(waiters, reply, self.sweep(&sweep)),
            Op::Reclaim(limit, reply) => wait(waiters, reply, self.reclaim(limit)),
            Op::Evict(evict, reply) => wait(waiters, reply, self.evict(evict)),
            Op::Swap(swap, reply) => wait(waiters, reply, self.swap_session(&swap)),
            Op::Close(reply) => wait(waiters, reply, Ok(())),
        }
    }
}

/// A row's fault fails this operation; redb's fault fails the group.
fn wait<T: Send + 'static>(
    waiters: &mut Vec<Waiter>,
    reply: ReplyTo<T>,
    done: Result<T, Fault>,
) -> Result<(), Fault> {
    let (answer, spoilt) = match done {
        Ok(answer) => (Ok(answer), Ok(())),
        Err(Fault::Row(error)) => (Err(error), Ok(())),
        Err(fault) => (Err(Error::Unknown("the commit failed".to_owned())), Err(fault)),
    };
    waiters.push(Box::new(move || {
        let _ = reply.send(answer); // the caller may be gone
    }));
    spoilt
}
