//! Claims: queued jobs that begin to run, and due deliveries that begin to be sent.
//!
//! Part of [`Group`]. Invariant: what is claimed here is claimed in one commit, by this process.

use ::redb::{ReadableTable, Table};

use super::Group;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Expect, Job, Key, Rank, Receiver, Stamp, Step};
use crate::store::redb::fault::Fault;
use crate::store::redb::keys;
use crate::store::redb::op::Apply;
use crate::store::redb::read::damaged;
use crate::store::{ClaimDue, Due, Error};

impl Group<'_> {
    /// Starts queued jobs. Returns one result for each, in order.
    pub(in crate::store::redb) fn start(
        &mut self,
        ids: &[JobId],
        stamp: Stamp,
    ) -> Result<Vec<Option<Job>>, Fault> {
        self.check_owner(stamp)?;
        let starts = ids.iter().map(|id| self.claim(*id, Change::Start, stamp));
        starts.collect()
    }

    /// Claims what is due for one receiver, live deliveries first.
    pub(in crate::store::redb) fn claim_due(&mut self, claim: &ClaimDue) -> Result<Due, Fault> {
        let (receiver, stamp) = (claim.receiver, claim.stamp);
        self.check_owner(stamp)?;
        let mut claimed = Vec::new();
        self.claim_rank(claim, (Rank::Live, claim.room), &mut claimed)?;
        let left = claim.replays.min(claim.room - claimed.len());
        self.claim_rank(claim, (Rank::Replayed, left), &mut claimed)?;
        let next = [
            next_due(&self.due, receiver, Rank::Live)?,
            next_due(&self.due, receiver, Rank::Replayed)?,
        ];
        Ok(Due { claimed, next })
    }

    /// Claims the first jobs of a rank. One whose header is damaged is not due any more: it would be the first for ever.
    fn claim_rank(
        &mut self,
        claim: &ClaimDue,
        (rank, room): (Rank, usize),
        claimed: &mut Vec<Job>,
    ) -> Result<(), Fault> {
        let (reads, most) = (claim.reads(room), claimed.len() + room);
        let mut last = Vec::new();
        for row in due(&self.due, (claim.receiver, rank), claim.stamp.at, reads)? {
            if claimed.len() == most {
                break;
            }
            let id = keys::id(&row);
            match self.client(id) {
                Err(Fault::Row(error @ Error::Corrupt(_))) => {
                    damaged(id, &error.to_string());
                    self.due.remove(&row)?;
                }
                client => match client? {
                    client if claim.passed_over.contains(&client) => {}
                    client if claim.last == Some(client) => last.push(id),
                    _ => claimed.extend(self.claim(id, Change::Claim, claim.stamp)?),
                },
            }
        }
        last.truncate(most - claimed.len());
        for id in last {
            claimed.extend(self.claim(id, Change::Claim, claim.stamp)?);
        }
        Ok(())
    }

    fn client(&self, id: JobId) -> Result<Key, Fault> {
        let job = self.job(id)?;
        let job = job.ok_or_else(|| Error::Corrupt("it is due, but missing".to_owned()))?;
        Ok(job.client)
    }

    fn check_owner(&self, stamp: Stamp) -> Result<(), Error> {
        if stamp.by == self.owner {
            Ok(())
        } else {
            Err(Error::Fenced)
        }
    }

    fn claim(&mut self, id: JobId, change: Change, stamp: Stamp) -> Result<Option<Job>, Fault> {
        let step = Step {
            expect: Expect::Any,
            stamp,
            changes: vec![change],
        };
        Ok(self.apply(Apply::bare(id, step))?.job())
    }
}

/// The first rows of jobs that are due for a receiver by `now`.
fn due(
    rows: &Table<'_, &'static keys::Due, ()>,
    (receiver, rank): (Receiver, Rank),
    now: Millis,
    limit: usize,
) -> Result<Vec<keys::Due>, Fault> {
    let first = keys::due(receiver, rank, Millis(0), JobId::MIN);
    let last = keys::due(receiver, rank, now, JobId::MAX);
    let rows = rows.range::<&keys::Due>(&first..=&last)?.take(limit);
    rows.map(|row| Ok(*row?.0.value())).collect()
}

fn next_due(
    rows: &Table<'_, &'static keys::Due, ()>,
    receiver: Receiver,
    rank: Rank,
) -> Result<Option<Millis>, Fault> {
    let first = keys::due(receiver, rank, Millis(0), JobId::MIN);
    let last = keys::due(receiver, rank, Millis(u64::MAX), JobId::MAX);
    let row = rows.range::<&keys::Due>(&first..=&last)?.next().transpose()?;
    Ok(row.map(|(key, _)| keys::due_at(key.value()).1))
}
