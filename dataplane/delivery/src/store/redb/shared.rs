//! What the writer thread and the readers share: the open database, or why there is none,
//! and the ledger of the last commit.
//!
//! [`super::Embedded`] and the writer hold it. Invariant: the ledger is that of a commit which succeeded, never ahead
//! of the disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use ::redb::{Database, ReadableDatabase, WriteTransaction};
use tokio_util::sync::CancellationToken;

use super::disk_budget::DiskBudget;
use super::fault::Fault;
use super::format::{self, Ledger};
use super::read::View;
use super::vault::{Stowed, Vault};
use super::volume::is_full;
use crate::clock::Millis;
use crate::id::JobId;
use crate::store::metrics::Metrics;
use crate::store::notices::NoticeCounts;
use crate::store::seal::Field;
use crate::store::{Counts, Error, KeyUse, Space};

pub(super) struct Shared {
    vault: Arc<Vault>,
    budget: DiskBudget,
    db: RwLock<Option<Database>>,
    ledger: Mutex<Ledger>,
    /// Why the last commit failed, or that the store was closed.
    failure: Mutex<String>,
    fatal: CancellationToken,
    metrics: Metrics,
}

impl Shared {
    /// Down until [`Shared::set_open`].
    pub(super) fn new(vault: Vault, budget: DiskBudget, metrics: Metrics) -> Self {
        Self {
            vault: Arc::new(vault),
            budget,
            db: RwLock::new(None),
            ledger: Mutex::default(),
            failure: Mutex::new("it is not open".to_owned()),
            fatal: CancellationToken::new(),
            metrics,
        }
    }

    /// Commits succeed from now on.
    pub(super) fn set_open(&self, db: Database, ledger: Ledger) {
        self.publish(ledger);
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        self.metrics.set_up(true);
    }

    /// Nothing can be read or written from now on. Closes the database.
    pub(super) fn set_down(&self, why: impl Into<String>) -> Result<(), ::redb::DatabaseError> {
        *lock(&self.failure) = why.into();
        self.metrics.set_up(false);
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        db.map_or(Ok(()), Database::close)
    }

    /// A commit of `size` operations succeeded with this result.
    pub(super) fn committed(&self, size: u32, notices: NoticeCounts, ledger: Ledger) {
        self.metrics.committed(size);
        self.metrics.notified(notices);
        self.publish(ledger);
    }

    fn publish(&self, ledger: Ledger) {
        self.metrics.set_jobs(&ledger.counts);
        self.metrics.set_space(&self.budget.space(&ledger));
        let keys = &ledger.usage.keys;
        let missing = keys.iter().filter(|(id, _)| !self.vault.sealer.knows(**id));
        self.metrics
            .set_unreadable(missing.map(|(_, values)| values).sum());
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
            Some(db) => Ok(View(
                db.begin_read().map_err(Fault::from)?,
                Arc::clone(&self.vault),
            )),
            None => Err(self.failure()),
        }
    }

    /// Logs at the start which keys are missing.
    pub(super) fn report_missing_keys(&self) {
        for key in self.keys().iter().filter(|key| !key.known) {
            let (key, values) = (key.id, key.values);
            tracing::error!(
                key,
                values,
                "an encryption key of the store is missing: jobs encrypted with it wait until it is back"
            );
        }
    }

    /// Removes files that no row names, which a process left that died between a file and its commit.
    /// The cost depends on the number of files, not of jobs.
    pub(super) fn remove_orphans(&self) -> Result<(), Error> {
        let view = self.view()?;
        let failed = |error| Error::Down(format!("the large bodies: {error}"));
        for file in self.vault.blobs.list().map_err(failed)? {
            if !view.names(file)? {
                tracing::info!(%file, "removing the file of a large body that was never committed");
                self.vault.blobs.remove(file).map_err(failed)?;
            }
        }
        Ok(())
    }

    pub(super) fn is_up(&self) -> bool {
        self.db().is_some()
    }

    pub(super) fn ledger(&self) -> Ledger {
        lock(&self.ledger).clone()
    }

    pub(super) fn counts(&self) -> Counts {
        lock(&self.ledger).counts
    }

    pub(super) fn high_water(&self) -> Millis {
        lock(&self.ledger).high_water
    }

    pub(super) fn keys(&self) -> Vec<KeyUse> {
        let ledger = lock(&self.ledger);
        let keys = ledger.usage.keys.iter().map(|(id, values)| KeyUse {
            id: *id,
            values: *values,
            known: self.vault.sealer.knows(*id),
        });
        keys.collect()
    }

    /// Measures the volume from time to time; only the writer calls it.
    pub(super) fn refresh(&self) {
        let ledger = lock(&self.ledger);
        self.budget.refresh(&ledger);
        self.metrics.set_space(&self.budget.space(&ledger));
    }

    pub(super) fn space(&self) -> Space {
        self.budget.space(&lock(&self.ledger))
    }

    pub(super) fn budget(&self) -> &DiskBudget {
        &self.budget
    }

    /// [`Vault::stow`]; a full disk is reported to the budget.
    pub(super) fn stow(&self, field: Field, id: JobId, payload: &[u8]) -> Result<Stowed, Error> {
        self.vault.stow(field, id, payload).map_err(|error| {
            if is_full(&error) {
                self.budget.is_refused();
            }
            Error::Down(format!("failed to write a large body: {error}"))
        })
    }

    pub(super) fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// The error for a caller while the store is down.
    pub(super) fn failure(&self) -> Error {
        Error::Down(lock(&self.failure).clone())
    }

    /// The error for a caller whose commit failed: the file, once it is open again, shows whether it happened.
    pub(super) fn unknown(&self) -> Error {
        Error::Unknown(lock(&self.failure).clone())
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

/// What these locks guard is valid after a panic: it is only ever replaced.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
