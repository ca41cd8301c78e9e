//! Deleting delivered results early, oldest first.
//!
//! Part of [`Group`]. Invariant: only a delivered job's result is deleted; a marker stays in its row, and its header says
//! that it has none.

use ::redb::ReadableTable;

use super::{Group, put, take};
use crate::id::JobId;
use crate::job::Job;
use crate::state::Push;
use crate::store::codec::{self, wrap::GIVEN_BACK};
use crate::store::redb::fault::Fault;
use crate::store::redb::hooks::Kind;
use crate::store::redb::keys::{self, Timed};
use crate::store::seal::Field;

/// Rows read in one group, so that a long list does not hold up the others.
const LOOKED_AT: usize = 32_768;

impl Group<'_> {
    pub(in crate::store::redb) fn reclaim(&mut self, limit: usize) -> Result<usize, Fault> {
        let mut reclaimed = 0;
        for row in self.settled_since(&self.reclaimed)? {
            if reclaimed == limit {
                break;
            }
            reclaimed += usize::from(self.delete_result(keys::timed_id(&row))?);
            self.reclaimed = row; // read again, which costs little
        }
        if reclaimed > 0 {
            self.done.info.note(Kind::Sweep);
        }
        Ok(reclaimed)
    }

    fn settled_since(&self, first: &Timed) -> Result<Vec<Timed>, Fault> {
        let rows = self.expire.range::<&Timed>(first..)?;
        rows.take(LOOKED_AT).map(|row| Ok(*row?.0.value())).collect()
    }

    /// Returns whether there was a result to delete.
    fn delete_result(&mut self, key: [u8; 16]) -> Result<bool, Fault> {
        let job = self.job(JobId::from_bytes(key))?;
        let Some(job) = job.filter(|job| job.state.push == Push::Delivered) else {
            return Ok(false);
        };
        let used = self.client_use(job.client)?;
        let row = self.result.get(&key)?;
        if row.as_ref().is_none_or(|row| row.value() == GIVEN_BACK) {
            return Ok(false);
        }
        drop(row);
        self.give_back(&key)?;
        let without = Job {
            size: 0,
            ..job.clone()
        };
        self.job.insert(&key, codec::encode_job(&without).as_slice())?;
        self.count(Some(&job), Some(&without), used)?;
        Ok(true)
    }

    /// Deletes a body and leaves the marker in its place.
    pub(super) fn give_back(&mut self, key: &[u8; 16]) -> Result<(), Fault> {
        take(&mut self.result, Field::Body, key, &mut self.done)?;
        put(&mut self.result, key, &GIVEN_BACK, &mut self.done)
    }
}
