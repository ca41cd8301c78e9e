//! What is noted of a call while it runs: its names and its handle.
//!
//! Part of [`Group::apply`]. Invariant: most jobs have neither, and pay for neither.

use ::redb::ReadableTable;

use super::{Group, put, take};
use crate::id::JobId;
use crate::job::Job;
use crate::store::codec;
use crate::store::redb::fault::Fault;
use crate::store::redb::tables;
use crate::store::seal::Field;

impl Group<'_> {
    /// Has a job found by its names, but for those that are another's.
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

    /// Writes the handle of an execution, or takes it away with the execution. The table is opened only
    /// here, since most jobs never have one.
    pub(super) fn hold(&mut self, id: JobId, handle: Option<Vec<u8>>, job: &Job) -> Result<(), Fault> {
        let mut rows = self.txn.open_table(tables::HANDLE)?;
        if handle.is_some() || !job.has_handle {
            take(&mut rows, Field::Handle, &id.to_bytes(), &mut self.done)?;
        }
        match handle {
            Some(value) => put(&mut rows, &id.to_bytes(), &value, &mut self.done),
            None => Ok(()),
        }
    }
}
