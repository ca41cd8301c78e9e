//! The file's format number, and the ledger that every commit updates.
//!
//! Invariant: a file without a format number, or with one this version does not know, is
//! refused and left as it is.

use ::redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::fault::Fault;
use super::tables::{
    ARGS, ATTEMPTS, CLIENT, DEAD, DEAD_OF, DEDUPE, DUE, EXEC, EXPIRE, INFLIGHT, JOB, META, RESULT,
    RESUME_TOKEN, SESSION, SESSION_EXPIRE, TARGET, WAITING,
};
use super::usage::Usage;
use crate::clock::Millis;
use crate::store::codec::{Reader, Writer};
use crate::store::queue_counts::QueueCounts;
use crate::store::{Counts, Error};

/// The file format that this version writes and reads.
const FORMAT: u32 = 5;
const FORMAT_ROW: &str = "format";
const LEDGER_ROW: &str = "ledger";
/// The route for which values are encrypted; written once.
const ROUTE_ROW: &str = "route";

/// Totals over all jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) counts: Counts,
    pub(super) high_water: Millis,
    /// The epoch of the process that has the store open, or had it open last.
    pub(super) epoch: u64,
    pub(super) usage: Usage,
    pub(super) queues: QueueCounts,
}

impl Ledger {
    fn encode(&self) -> Vec<u8> {
        let mut value = Writer::new();
        let Counts {
            queued,
            running,
            due,
            sending,
            dead,
        } = self.counts;
        for count in [queued, running, due, sending, dead] {
            value.u64(count);
        }
        value.millis(self.high_water);
        value.u64(self.epoch);
        self.usage.write(&mut value);
        self.queues.write(&mut value);
        value.done()
    }

    fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut value = Reader::open(value)?;
        let ledger = Self {
            counts: Counts {
                queued: value.u64()?,
                running: value.u64()?,
                due: value.u64()?,
                sending: value.u64()?,
                dead: value.u64()?,
            },
            high_water: value.millis()?,
            epoch: value.u64()?,
            usage: Usage::read(&mut value)?,
            queues: QueueCounts::read(&mut value)?,
        };
        value.end()?;
        Ok(ledger)
    }

    /// Counts the process that opens the store, durably before its first step.
    pub(super) fn next_epoch(&mut self, db: &Database) -> Result<u64, Error> {
        self.epoch += 1;
        let txn = begin(db)?;
        self.write(&txn)?;
        txn.commit().map_err(Fault::from)?;
        Ok(self.epoch)
    }

    /// Writes the ledger into the transaction.
    pub(super) fn write(&self, txn: &WriteTransaction) -> Result<(), Fault> {
        let mut meta = txn.open_table(META)?;
        meta.insert(LEDGER_ROW, self.encode().as_slice())?;
        Ok(())
    }
}

/// Begins a commit with the settings that every commit has. Quick repair makes opening after a
/// crash independent of the file's size.
pub(super) fn begin(db: &Database) -> Result<WriteTransaction, Fault> {
    let mut txn = db.begin_write()?;
    txn.set_quick_repair(true);
    Ok(txn)
}

/// Creates an empty store in an empty database.
pub(super) fn create(db: &Database) -> Result<(), Fault> {
    let txn = begin(db)?;
    txn.open_table(META)?
        .insert(FORMAT_ROW, FORMAT.to_be_bytes().as_slice())?;
    Ledger::default().write(&txn)?;
    for table in [JOB, TARGET, ARGS, RESULT, SESSION, RESUME_TOKEN] {
        txn.open_table(table)?;
    }
    for table in [WAITING, DEAD, EXPIRE, SESSION_EXPIRE] {
        txn.open_table(table)?;
    }
    txn.open_table(EXEC)?;
    txn.open_table(DUE)?;
    txn.open_table(INFLIGHT)?;
    txn.open_table(CLIENT)?;
    txn.open_table(DEAD_OF)?;
    txn.open_table(ATTEMPTS)?;
    txn.open_table(DEDUPE)?;
    txn.commit()?;
    Ok(())
}

/// The ledger of a store, if this version can read it.
pub(super) fn read(db: &Database) -> Result<Ledger, Error> {
    let txn = db.begin_read().map_err(Fault::from)?;
    let meta = txn.open_table(META).map_err(Fault::from)?;
    let row = meta.get(FORMAT_ROW).map_err(Fault::from)?;
    let format = row.and_then(|row| Some(u32::from_be_bytes(row.value().try_into().ok()?)));
    match format {
        Some(FORMAT) => ledger(&txn),
        Some(found) if found > FORMAT => Err(Error::NewerFormat { found, known: FORMAT }),
        Some(found) => Err(Error::OlderFormat { found, known: FORMAT }),
        None => Err(Error::Corrupt("it has no format number".to_owned())),
    }
}

/// The ledger as a commit left it.
pub(super) fn ledger(txn: &ReadTransaction) -> Result<Ledger, Error> {
    let meta = txn.open_table(META).map_err(Fault::from)?;
    let row = meta.get(LEDGER_ROW).map_err(Fault::from)?;
    let row = row.ok_or_else(|| Error::Corrupt("it has no ledger".to_owned()))?;
    Ledger::decode(row.value())
}

/// The route that the store's first process recorded.
pub(super) fn known_route(db: &Database) -> Result<Option<String>, Error> {
    let txn = db.begin_read().map_err(Fault::from)?;
    let meta = txn.open_table(META).map_err(Fault::from)?;
    let row = meta.get(ROUTE_ROW).map_err(Fault::from)?;
    Ok(row.map(|row| String::from_utf8_lossy(row.value()).into_owned()))
}

/// The route for which values are encrypted: what the store's first process recorded, `mine` if this is the first.
pub(super) fn route(db: &Database, mine: &str) -> Result<String, Error> {
    if let Some(route) = known_route(db)? {
        return Ok(route);
    }
    let txn = begin(db)?;
    let mut meta = txn.open_table(META).map_err(Fault::from)?;
    meta.insert(ROUTE_ROW, mine.as_bytes()).map_err(Fault::from)?;
    drop(meta);
    txn.commit().map_err(Fault::from)?;
    Ok(mine.to_owned())
}
