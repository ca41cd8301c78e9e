//! Removing jobs: what is over and old, and what an administrator deletes.
//!
//! Invariant: all rows of a job go in one commit, and its files after it.

use super::{Fault, Group, history, take};
use crate::id::JobId;
use crate::job::{Applied, Rows, Stamp};
use crate::store::Error;
use crate::store::redb::hooks::Kind;
use crate::store::seal::Field;

impl Group<'_> {
    /// Removes a job that is over.
    pub(super) fn remove_settled(&mut self, id: JobId, stamp: Stamp) -> Result<Applied, Fault> {
        if stamp.by != self.owner {
            return Ok(Applied::Fenced);
        }
        let Some(job) = self.job(id)? else {
            return Ok(Applied::Gone);
        };
        if !job.state.is_settled() {
            return Ok(Applied::Moved(job));
        }
        self.remove(id)?;
        self.note(Kind::Other, stamp.at);
        Ok(Applied::Applied(job))
    }

    /// Removes all rows of a job.
    pub(super) fn remove(&mut self, id: JobId) -> Result<(), Fault> {
        let job = self.job(id)?;
        let job = job.ok_or_else(|| Error::Corrupt(format!("an index names job {id}, which is missing")))?;
        let key = id.to_bytes();
        let used = self.client_use(job.client)?;
        self.refile(id, &job.rows(), &Rows::default())?;
        self.dedupe.remove(&job.dedupe)?;
        for name in &job.names {
            if self.is_named(name, id)? {
                self.dedupe.remove(name)?;
            }
        }
        take(&mut self.result, Field::Body, &key, &mut self.done)?;
        take(&mut self.target, Field::Call, &key, &mut self.done)?;
        history::clear(&mut self.attempts, id, &mut self.done.ledger.usage)?;
        self.job.remove(&key)?;
        self.done.ledger.usage.remove_job();
        self.count(Some(&job), None, used)
    }
}
