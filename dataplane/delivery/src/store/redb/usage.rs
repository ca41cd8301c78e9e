//! How much space the rows and files use, and which keys encrypted them.
//!
//! The group updates it in the commit that changes the rows. Invariant: a function of the rows alone,
//! so that a check can recount it.

use std::collections::BTreeMap;

use ::redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, TableError};

use super::fault::Fault;
use super::tables;
use crate::store::Error;
use crate::store::codec::wrap::Wrapped;
use crate::store::codec::{Reader, Writer};

/// redb's page.
const PAGE: u64 = 4096;
/// What a job uses beside its snapshot and payloads: header, dedupe and index rows, in pages that
/// are two thirds full.
const JOB: u64 = 512;
/// A key and a row's bookkeeping.
const ROW: u64 = 32;

/// Sums over all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes of pages that the rows use: an estimate that needs no walk of the trees.
    pub(super) pages: u64,
    /// Bytes of files.
    pub(super) files: u64,
    /// Bytes of the pages that rows of sessions use; they are part of `pages`.
    pub(super) sessions: u64,
    /// Values by the key that they are encrypted with; plain ones are not counted.
    pub(super) keys: BTreeMap<u32, u64>,
}

impl Usage {
    /// Counts a new job.
    pub(super) fn add_job(&mut self) {
        self.pages += JOB;
    }

    /// Counts a removed job.
    pub(super) fn remove_job(&mut self) {
        self.pages = self.pages.saturating_sub(JOB);
    }

    /// Counts a new value.
    pub(super) fn add(&mut self, value: &[u8]) {
        let (key, pages, file) = measure(value);
        self.pages += pages;
        self.files += file;
        if key > 0 {
            *self.keys.entry(key).or_default() += 1;
        }
    }

    /// Counts a removed value.
    pub(super) fn remove(&mut self, value: &[u8]) {
        let (key, pages, file) = measure(value);
        self.pages = self.pages.saturating_sub(pages);
        self.files = self.files.saturating_sub(file);
        if let Some(count) = self.keys.get_mut(&key) {
            *count = count.saturating_sub(1);
        }
        self.keys.retain(|_, count| *count > 0);
    }

    /// Counts a session's row that is a value, too.
    pub(super) fn add_session(&mut self, value: &[u8]) {
        self.sessions += of_value(value);
    }

    /// Counts a session's row that was removed.
    pub(super) fn remove_session(&mut self, value: &[u8]) {
        self.sessions = self.sessions.saturating_sub(of_value(value));
    }

    pub(super) fn write(&self, value: &mut Writer) {
        value.u64(self.pages);
        value.u64(self.files);
        value.u64(self.sessions);
        value.u32(u32::try_from(self.keys.len()).expect("a ring has a few keys"));
        for (key, count) in &self.keys {
            value.u32(*key);
            value.u64(*count);
        }
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self, Error> {
        let (pages, files, sessions) = (value.u64()?, value.u64()?, value.u64()?);
        let len = value.u32()?;
        let keys = (0..len).map(|_| Ok((value.u32()?, value.u64()?)));
        let keys = keys.collect::<Result<_, Error>>()?;
        Ok(Self {
            pages,
            files,
            sessions,
            keys,
        })
    }

    /// Counts again, from every row.
    pub(super) fn recount(txn: &ReadTransaction) -> Result<Self, Error> {
        let mut usage = Self::default();
        let jobs = txn.open_table(tables::JOB).map_err(Fault::from)?;
        usage.pages = JOB * jobs.len().map_err(Fault::from)?;
        for table in [
            tables::TARGET,
            tables::ARGS,
            tables::RESULT,
            tables::SESSION,
            tables::RESUME_TOKEN,
        ] {
            let rows = match txn.open_table(table) {
                Err(TableError::TableDoesNotExist(_)) => continue, // of an earlier version
                rows => rows.map_err(Fault::from)?,
            };
            for row in rows.range::<&[u8; 16]>(..).map_err(Fault::from)? {
                usage.add(row.map_err(Fault::from)?.1.value());
            }
        }
        let sessions = txn.open_table(tables::SESSION).map_err(Fault::from)?;
        for row in sessions.range::<&[u8; 16]>(..).map_err(Fault::from)? {
            usage.add_session(row.map_err(Fault::from)?.1.value());
        }
        match txn.open_table(tables::ATTEMPTS) {
            Err(TableError::TableDoesNotExist(_)) => {} // no commit of this version was made
            rows => {
                for row in rows.map_err(Fault::from)?.iter().map_err(Fault::from)? {
                    usage.add(row.map_err(Fault::from)?.1.value());
                }
            }
        }
        Ok(usage)
    }
}

/// What a job with these values uses.
pub(super) fn of_job(values: &[&[u8]]) -> u64 {
    let room = |value: &&[u8]| {
        let (_, pages, file) = measure(value);
        pages + file
    };
    JOB + values.iter().map(room).sum::<u64>()
}

/// The bytes of a value's pages.
pub(super) fn of_value(value: &[u8]) -> u64 {
    measure(value).1
}

/// The key of a value, the bytes of its pages, and of its file.
fn measure(value: &[u8]) -> (u32, u64, u64) {
    let row = value.len() as u64 + ROW;
    let pages = if row >= PAGE {
        row.next_power_of_two() // redb's pages of one large value
    } else {
        row + row / 2 // several share a page, which is two thirds full
    };
    match Wrapped::read(value) {
        Ok(Wrapped::Filed(filed)) => (filed.key, pages, filed.len.next_multiple_of(PAGE)),
        Ok(other) => (other.key(), pages, 0),
        Err(_) => (0, pages, 0), // counted nevertheless; reading it reports the error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::encode_blob;
    use crate::store::codec::wrap::{Filed, encode_filed, encode_sealed};

    #[test]
    fn what_came_and_went_leaves_nothing() {
        let (key, len, tag) = (3, 300_000, 1);
        let filed = encode_filed(Filed { key, len, tag });
        let values = [encode_blob(&[1; 9999]), encode_sealed(7, b"x"), filed, vec![]];
        let mut usage = Usage::default();
        usage.add_job();
        for value in &values {
            usage.add(value);
        }
        assert_eq!(usage.keys, BTreeMap::from([(3, 1), (7, 1)]));
        assert_eq!(usage.files, 303_104);
        assert!(usage.pages >= 16_384);
        for value in &values {
            usage.remove(value);
        }
        usage.remove_job();
        assert_eq!(usage, Usage::default());
    }

    #[test]
    fn reads_back() {
        let mut usage = Usage::default();
        usage.add(&encode_sealed(7, b"x"));
        let mut value = Writer::new();
        usage.write(&mut value);
        let value = value.done();
        assert_eq!(Usage::read(&mut Reader::open(&value).unwrap()).unwrap(), usage);
    }
}
