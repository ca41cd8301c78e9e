//! The embedded store: one redb file, large bodies in files beside it, one thread that writes, any number of readers.
//!
//! The data plane opens it for a route with `store.embedded`. Writes go to the writer thread, which commits them in
//! groups. Rows are read on the caller's thread (microseconds from redb's cache or the page cache); files of large bodies
//! and the in-flight list are read on the blocking pool. Only this folder knows redb, files and encryption at rest.
//! Invariant: the reply to a write is sent after its commit is on the disk.

mod blob;
mod check;
mod disk_budget;
mod fault;
mod file;
mod format;
mod group;
mod history;
mod hooks;
mod keys;
pub mod offline;
mod op;
mod options;
mod overlay;
mod read;
mod roles;
mod scan;
mod shared;
mod tables;
mod usage;
mod vault;
mod volume;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::disk_budget::DiskBudget;
use self::file::{Directory, Media};
pub use self::hooks::{CommitInfo, Hook, Kind};
use self::op::{Op, ReplyTo};
pub use self::options::Options;
use self::read::{Near, View};
use self::shared::Shared;
use self::vault::{Stowed, Vault};
use self::writer::Writer;
use super::seal::Field;
use super::{Error, codec};
use crate::id::JobId;
use crate::job::{Change, NewJob, Owner};

/// A store in one file, for one process.
///
/// Dropping it waits for the commit in progress. Prefer [`crate::store::Store::close`], which reports errors.
#[derive(Debug)]
pub struct Embedded {
    owner: Owner,
    inbox: mpsc::Sender<Op>,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the store in `dir`, or creates one if there is none. Never changes a file that it cannot
    /// read; the time it takes does not depend on the number of jobs.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        Self::start(Box::new(Directory::open(dir)?), options)
    }

    /// Opens the store that is kept on `media`.
    fn start(media: Box<dyn Media>, options: Options) -> Result<Self, Error> {
        let (db, mut ledger) = media.open()?;
        let vault = Vault {
            blobs: media.blobs(),
            sealer: Arc::clone(&options.sealer),
            route: format::route(&db, &options.route)?,
            large: options.large,
        };
        let owner = Owner {
            replica: 0,
            epoch: ledger.next_epoch(&db)?,
        };
        let budget = DiskBudget::new(media.volume(), options.size, options.ballast, options.look_every);
        budget.refresh(&ledger);
        let shared = Arc::new(Shared::new(vault, budget, options.metrics.clone()));
        shared.set_open(db, ledger);
        shared.remove_orphans()?;
        shared.report_missing_keys();
        let (inbox, outbox) = mpsc::channel();
        let writer = Writer::new(outbox, owner, Arc::clone(&shared), media, options);
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::Down(format!("failed to start its thread: {error}")))?;
        Ok(Self {
            owner,
            inbox,
            shared,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// From now on the volume is taken to have this many bytes.
    pub fn set_size(&self, bytes: u64) {
        self.shared.budget().set_size(bytes);
    }

    /// Fires when the store has failed for good: three commits failed in a row, although the file was
    /// reopened in between. The process should exit; a new one starts from what is on the disk.
    pub fn fatal(&self) -> CancellationToken {
        self.shared.fatal()
    }

    /// Recomputes every index row and count from the jobs' headers and compares. Reads
    /// everything: for tests.
    pub fn check(&self) -> Result<(), Error> {
        check::check(&self.shared.view()?)
    }

    /// Sends the writer an operation and waits until it is durable.
    async fn write<T>(&self, op: impl FnOnce(ReplyTo<T>) -> Op) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(op(reply)).map_err(|_| self.shared.failure())?;
        // The writer drops a reply instead of sending it when the commit failed.
        answer.await.map_err(|_| self.shared.unknown())?
    }

    /// Reads something that may be large.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || read(&shared.view()?))
            .await
            .map_err(|error| Error::Down(format!("a read was interrupted: {error}")))?
    }

    /// Reads a payload: a file on the blocking pool, and again if it was removed after its row was
    /// read.
    async fn payload(&self, field: Field, id: JobId) -> Result<Option<Bytes>, Error> {
        match self.shared.view()?.near(field, id)? {
            None => return Ok(None),
            Some(Near::Row(payload)) => return Ok(Some(payload)),
            Some(Near::File) => {}
        }
        let shared = Arc::clone(&self.shared);
        self.read(move |view| match view.payload(field, id) {
            Err(Error::Corrupt(_)) => shared.view()?.payload(field, id),
            payload => payload,
        })
        .await
    }

    /// Prepares a payload; a large one is written to a file on the blocking pool.
    async fn stow(&self, field: Field, id: JobId, payload: Bytes) -> Result<Stowed, Error> {
        let shared = Arc::clone(&self.shared);
        if !shared.vault().is_large(&payload) {
            return shared.stow(field, id, &payload);
        }
        tokio::task::spawn_blocking(move || shared.stow(field, id, &payload))
            .await
            .map_err(|error| Error::Down(format!("a write was interrupted: {error}")))?
    }

    /// Whether arguments that would be a file belong to a new call for which there is no space; saves writing it.
    fn is_hopeless(&self, new: &NewJob) -> Result<bool, Error> {
        let large = self.shared.vault().is_large(&new.params);
        let fits = !large || self.shared.space().holds_job(new.params.len() as u64);
        Ok(!fits && self.shared.view()?.find(new.dedupe.key)?.is_none())
    }

    /// A resume token is a few hundred bytes and never a file.
    fn seal_resume_token(&self, id: JobId, token: &[u8]) -> Vec<u8> {
        let value = codec::encode_blob(token);
        self.shared.vault().seal(Field::ResumeToken, id.to_bytes(), value)
    }

    /// Waits until the writer thread has ended and closed the file.
    fn join(&self) {
        let writer = self.writer().take();
        if let Some(writer) = writer {
            // A panic of the writer was reported by its guard.
            let _ = writer.join();
        }
    }

    fn writer(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.writer.lock().expect("no holder of this lock panics")
    }
}

/// The body that a change brings.
fn body_of(changes: &[Change]) -> Option<Bytes> {
    changes.iter().find_map(|change| match change {
        Change::Finish { body, .. } => Some(body.clone()),
        _ => None,
    })
}

/// The last resume token that a change brings.
fn resume_token_of(changes: &[Change]) -> Option<&Bytes> {
    changes.iter().rev().find_map(|change| match change {
        Change::ResumeToken { token } => Some(token),
        _ => None,
    })
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        // An error means that the writer has ended already.
        let _ = self.inbox.send(Op::Close(reply));
        self.join();
    }
}

#[cfg(test)]
mod tests;
