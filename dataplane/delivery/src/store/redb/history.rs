//! The history of attempts in the file: one row per entry, keyed by the job and the entry's number.
//!
//! The group writes and removes rows, views read them. Invariant: a job's numbers have no gap, so that the
//! row to drop is known without counting.

use ::redb::{ReadableTable, Table, TableError};

use super::fault::Fault;
use super::keys::Numbered;
use super::read::View;
use super::tables::{self, Value};
use super::usage::Usage;
use crate::history::{Entry, KEPT};
use crate::id::JobId;
use crate::store::{Error, codec};

/// The rows in a write transaction.
pub(super) type Rows<'txn> = Table<'txn, &'static Numbered, Value>;

fn key(id: JobId, number: u32) -> Numbered {
    let mut key = [0; 20];
    key[..16].copy_from_slice(&id.to_bytes());
    key[16..].copy_from_slice(&number.to_be_bytes());
    key
}

fn number(key: &Numbered) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&key[16..]);
    u32::from_be_bytes(number)
}

/// Adds entries to a job's rows and drops the oldest where there are too many.
pub(super) fn add<'a>(
    rows: &mut Rows<'_>,
    id: JobId,
    entries: impl Iterator<Item = &'a Entry>,
    usage: &mut Usage,
) -> Result<(), Fault> {
    for entry in entries {
        let next = last(rows, id)?.saturating_add(1);
        let value = codec::encode_entry(entry);
        rows.insert(&key(id, next), value.as_slice())?;
        usage.add(&value);
        if let Some(oldest) = next.checked_sub(KEPT) {
            remove(rows, &key(id, oldest), usage)?;
        }
    }
    Ok(())
}

/// Inserts a row of an export.
pub(super) fn put_back(
    rows: &mut Rows<'_>,
    (id, number): (JobId, u32),
    value: &[u8],
    usage: &mut Usage,
) -> Result<(), Fault> {
    rows.insert(&key(id, number), value)?;
    usage.add(value);
    Ok(())
}

/// Removes all rows of a job.
pub(super) fn clear(rows: &mut Rows<'_>, id: JobId, usage: &mut Usage) -> Result<(), Fault> {
    let range = rows.range::<&Numbered>(&key(id, 0)..=&key(id, u32::MAX))?;
    let keys: Result<Vec<Numbered>, Fault> = range.map(|row| Ok(*row?.0.value())).collect();
    for key in keys? {
        remove(rows, &key, usage)?;
    }
    Ok(())
}

fn last(rows: &Rows<'_>, id: JobId) -> Result<u32, Fault> {
    let mut range = rows.range::<&Numbered>(&key(id, 0)..=&key(id, u32::MAX))?;
    let row = range.next_back().transpose()?;
    Ok(row.map_or(0, |(key, _)| number(key.value())))
}

fn remove(rows: &mut Rows<'_>, key: &Numbered, usage: &mut Usage) -> Result<(), Fault> {
    if let Some(value) = rows.remove(key)? {
        usage.remove(value.value());
    }
    Ok(())
}

impl View {
    /// Empty, too, if the file has no such table yet.
    pub(super) fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error> {
        let rows = match self.0.open_table(tables::ATTEMPTS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            rows => rows.map_err(Fault::from)?,
        };
        let range = rows
            .range::<&Numbered>(&key(id, 0)..=&key(id, u32::MAX))
            .map_err(Fault::from)?;
        let entries = range.map(|row| {
            let (key, value) = row.map_err(Fault::from)?;
            Ok((number(key.value()), codec::decode_entry(value.value())?))
        });
        entries.collect()
    }
}
