//! Deleting the bodies of dead letters and of stopped deliveries, of the client that uses the most, oldest first.
//!
//! Part of [`Group`]. Invariant: what loses its body is never replayed.

use ::redb::ReadableTable;

use super::Group;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Job, Key, Step};
use crate::store::redb::fault::Fault;
use crate::store::redb::hooks::Kind;
use crate::store::redb::keys::{self, DeadOf};
use crate::store::redb::op::Apply;
use crate::store::redb::read::damaged;
use crate::store::{Error, Evict, Evicted};

impl Group<'_> {
    pub(in crate::store::redb) fn evict(&mut self, evict: Evict) -> Result<Option<Evicted>, Fault> {
        let Some(client) = self.heaviest()? else {
            return Ok(None);
        };
        let mut evicted = Evicted::none_of(client);
        for row in self.dead_of(client, evict.limit)? {
            if evicted.bytes >= evict.bytes {
                break;
            }
            match self.evict_one(keys::id(&row), evict.at) {
                Err(Fault::Row(error @ Error::Corrupt(_))) => {
                    damaged(keys::id(&row), &error.to_string());
                    self.dead_of.remove(&row)?;
                }
                job => evicted.add(job?.size),
            }
        }
        Ok(Some(evicted))
    }

    /// The job as it was before.
    fn evict_one(&mut self, id: JobId, at: Millis) -> Result<Job, Fault> {
        let job = self.job(id)?;
        let job = job.ok_or_else(|| Error::Corrupt("it is a dead letter, but missing".to_owned()))?;
        if job.is_notice() {
            self.remove(id)?; // worth nothing without its body
            self.note(Kind::Sweep, at);
            return Ok(job);
        }
        let by = self.owner;
        let step = Step::any(by, vec![Change::Evict], at);
        let _evicted = self.apply(Apply::bare(id, step))?;
        Ok(job)
    }

    /// The client that uses the most among those that have dead letters with bodies. O(these clients).
    fn heaviest(&self) -> Result<Option<Key>, Fault> {
        let (mut heaviest, mut after) = (None, None);
        while let Some(client) = self.next_with_dead(after)? {
            let candidate = (self.client_use(client)?.bytes, client);
            heaviest = heaviest.max(Some(candidate));
            after = Some(client);
        }
        Ok(heaviest.map(|(_, client)| client))
    }

    fn next_with_dead(&self, after: Option<Key>) -> Result<Option<Key>, Fault> {
        // No job has the largest id, so the row after it is the next client's.
        let past = after.map_or([0; 32], |client| keys::dead_of(client, END, JobId::MAX));
        let row = self.dead_of.range::<&DeadOf>(&past..)?.next().transpose()?;
        Ok(row.map(|(key, _)| keys::client_of(key.value())))
    }

    pub(super) fn dead_of(&self, client: Key, limit: usize) -> Result<Vec<DeadOf>, Fault> {
        let first = keys::dead_of(client, Millis(0), JobId::MIN);
        let last = keys::dead_of(client, END, JobId::MAX);
        let rows = self.dead_of.range::<&DeadOf>(&first..=&last)?.take(limit);
        rows.map(|row| Ok(*row?.0.value())).collect()
    }
}

const END: Millis = Millis(u64::MAX);
