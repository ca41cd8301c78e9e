//! What is stored of a call while it runs: its names and its resume token.
//!
//! Part of [`Group::apply`]. Invariant: jobs without them cost nothing here.

use ::redb::ReadableTable;

use super::{Group, put, take};
use crate::id::JobId;
use crate::job::Job;
use crate::store::codec;
use crate::store::redb::fault::Fault;
use crate::store::redb::tables;
use crate::store::seal::Field;

impl Group<'_> {
    /// Files a job under its names, except those of other jobs.
    pub(super) fn find_by(&mut self, job: &Job) -> Result<(), Fault> {
        let row = self.dedupe.get(&job.dedupe)?.map(|row| row.value().to_vec());
        for name in &job.names {
            let is_free = self.dedupe.get(name)?.is_none();
            if let (Some(row), true) = (&row, is_free) {
                self.dedupe.insert(name, row.as_slice())?;
            }
        }
        Ok(())
    }

    pub(super) fn is_named(&self, name: &[u8; 32], id: JobId) -> Result<bool, Fault> {
        let row = self.dedupe.get(name)?;
        let named = row.map(|row| codec::decode_dedupe(row.value())).transpose()?;
        Ok(named.is_some_and(|(named, _)| named == id))
    }

    /// Writes the resume token of an execution, or removes it with the execution. The table is opened only here,
    /// since most jobs never have one.
    pub(super) fn hold(&mut self, id: JobId, token: Option<Vec<u8>>, job: &Job) -> Result<(), Fault> {
        let mut rows = self.txn.open_table(tables::RESUME_TOKEN)?;
        if token.is_some() || !job.has_resume_token {
            take(&mut rows, Field::ResumeToken, &id.to_bytes(), &mut self.done)?;
        }
        match token {
            Some(value) => put(&mut rows, &id.to_bytes(), &value, &mut self.done),
            None => Ok(()),
        }
    }
}
