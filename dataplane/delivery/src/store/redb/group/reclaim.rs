//! Deleting delivered results early, oldest first.
//!
//! Part of [`Group`]. Invariant: only a delivered job's result is deleted, and a marker stays in its row.

use ::redb::ReadableTable;

use super::{Group, put, take};
use crate::id::JobId;
use crate::state::Push;
use crate::store::codec::wrap::GIVEN_BACK;
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
        let delivered = job.is_some_and(|job| job.state.push == Push::Delivered);
        let kept = self
            .result
            .get(&key)?
            .is_some_and(|row| row.value() != GIVEN_BACK);
        if !delivered || !kept {
            return Ok(false);
        }
        take(&mut self.result, Field::Body, &key, &mut self.done)?;
        put(&mut self.result, &key, &GIVEN_BACK, &mut self.done)?;
        Ok(true)
    }
}
