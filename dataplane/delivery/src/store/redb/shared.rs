//! What the writer thread and the readers share: the open database, or why there is none,
//! and the ledger of the last commit.
//!
//! Invariant: the ledger is that of a commit which succeeded, never ahead of the disk.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use ::redb::{Database, ReadableDatabase, WriteTransaction};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::format::{self, Ledger};
use super::read::View;
use crate::store::Error;
use crate::store::metrics::Metrics;

pub(super) struct Shared {
    db: RwLock<Option<Database>>,
    ledger: Mutex<Ledger>,
    /// Why the last commit failed, or that the store was closed.
    failure: Mutex<String>,
    fatal: CancellationToken,
    metrics: Metrics,
}

impl Shared {
    /// Down until [`Shared::rise`].
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            db: RwLock::new(None),
            ledger: Mutex::default(),
            failure: Mutex::new("it is not open".to_owned()),
            fatal: CancellationToken::new(),
            metrics,
        }
    }

    /// Commits succeed from here on.
    pub(super) fn rise(&self, db: Database, ledger: Ledger) {
        self.publish(ledger);
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        self.metrics.set_up(true);
    }

    /// Nothing can be read or written from here on. Closes the database.
    pub(super) fn fall(&self, why: impl Into<String>) -> Result<(), ::redb::DatabaseError> {
        *lock(&self.failure) = why.into();
        self.metrics.set_up(false);
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        db.map_or(Ok(()), Database::close)
    }

    /// A commit of `size` operations succeeded and left this behind.
    pub(super) fn committed(&self, size: u32, ledger: Ledger) {
        self.metrics.committed(size);
        self.publish(ledger);
    }

    fn publish(&self, ledger: Ledger) {
        self.metrics.set_jobs(&ledger.counts);
        *lock(&self.ledger) = ledger;
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, Fault> {
        match &*self.db() {
            Some(db) => format::begin(db),
            None => Err(self.failure().into()),
        }
    }

    pub(super) fn view(&self) -> Result<View, Error> {
        match &*self.db() {
            Some(db) => Ok(View(db.begin_read().map_err(Fault::from)?)),
            None => Err(self.failure()),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.db().is_some()
    }

    pub(super) fn ledger(&self) -> Ledger {
        *lock(&self.ledger)
    }

    /// What a caller is told whose commit failed, or who came too late.
    pub(super) fn failure(&self) -> Error {
        Error::Down(lock(&self.failure).clone())
    }

    pub(super) fn fatal(&self) -> CancellationToken {
        self.fatal.clone()
    }

    fn db(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.db.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

/// What these locks guard is whole after a panic: it is only ever replaced.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
