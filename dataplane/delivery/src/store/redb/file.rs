//! The directory of the database: one data file and one lock file.
//!
//! Invariant: the data file gets its name only when it is a complete store, and is never replaced
//! or truncated afterwards; a process that opens it holds the lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::redb::backends::FileBackend;
use ::redb::{Builder, Database, DatabaseError, StorageError};

use super::blob::{self, Blobs, Folder};
use super::fault::Fault;
use super::format::{self, Ledger};
use super::volume::{BALLAST, Mounted, Volume};
use crate::directory;
use crate::store::Error;

/// The data file.
pub(super) const FILE: &str = "jobs.redb";
/// The data file while it is being created.
const UNFINISHED: &str = "jobs.redb.new";
/// Held for as long as the store is open, also while a failed database is reopened.
pub(super) const LOCK: &str = "jobs.lock";
/// redb's own default is 1 GiB.
const CACHE: usize = 128 << 20;

/// Where a database can be opened, again and again, one at a time.
pub(super) trait Media: Send {
    /// Opens what is there and reads its ledger.
    fn open(&self) -> Result<(Database, Ledger), Error>;
    /// Where the large bodies are.
    fn blobs(&self) -> Arc<dyn Blobs>;
    /// The volume of all of it.
    fn volume(&self) -> Arc<dyn Volume>;
}

/// A directory that only this process uses.
#[derive(Debug)]
pub(super) struct Directory {
    file: PathBuf,
    blobs: Folder,
    volume: Mounted,
    _lock: File,
}

impl Directory {
    /// Locks `dir` and makes sure that there is a store in it.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let file = dir.join(FILE);
        let failed = |error| Error::Down(format!("{}: {error}", file.display()));
        directory::make(dir).map_err(failed)?;
        let lock = lock(&dir.join(LOCK))?;
        if !file.try_exists().map_err(failed)? {
            refuse_the_rest_of_a_store(dir, &file)?;
            create(dir, &file)?;
        }
        let blobs = Folder::open(dir).map_err(failed)?;
        let volume = Mounted::new(dir, &file);
        Ok(Self {
            file,
            blobs,
            volume,
            _lock: lock,
        })
    }
}

impl Media for Directory {
    fn open(&self) -> Result<(Database, Ledger), Error> {
        // redb trusts a file that was closed cleanly, and may panic if something changed it.
        let opened = catch_unwind(AssertUnwindSafe(|| read(&self.file)));
        opened.unwrap_or_else(|_| Err(unreadable(&self.file, "reading it panicked")))
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.blobs.clone())
    }

    fn volume(&self) -> Arc<dyn Volume> {
        Arc::new(self.volume.clone())
    }
}

fn read(file: &Path) -> Result<(Database, Ledger), Error> {
    let db = builder().open(file).map_err(|error| refusal(file, error))?;
    let ledger = format::read(&db).map_err(|error| match error {
        Error::Corrupt(why) => unreadable(file, why),
        error => error,
    })?;
    Ok((db, ledger))
}

/// The settings with which every database is opened.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder.set_repair_callback(|repair| {
        tracing::warn!(
            progress = repair.progress(),
            "the store was not closed cleanly: repairing it"
        );
    });
    builder
}

fn lock(path: &Path) -> Result<File, Error> {
    let failed = |error| Error::Down(format!("{}: {error}", path.display()));
    let lock = private().truncate(false).open(path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(taken(path)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Locks out every process that would write; `None` if there is no lock file.
pub(super) fn lock_shared(path: &Path) -> Result<Option<File>, Error> {
    let failed = |error| Error::Down(format!("{}: {error}", path.display()));
    let lock = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        lock => lock.map_err(failed)?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(taken(path)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A store that lost its file is not a new store: a new one would delete the bodies that the lost file refers to. The
/// file is created before anything else, so that what lies here alone is what is left of a store.
fn refuse_the_rest_of_a_store(dir: &Path, file: &Path) -> Result<(), Error> {
    let failed = |error| Error::Down(format!("{}: {error}", dir.display()));
    let left = if Folder::holds_any(dir).map_err(failed)? {
        dir.join(blob::FOLDER)
    } else if dir.join(BALLAST).try_exists().map_err(failed)? {
        dir.join(BALLAST)
    } else {
        return Ok(());
    };
    Err(Error::Corrupt(format!(
        "{} is missing, but {} is there, so a store was here before. Restore the file (is the whole volume mounted?), or \
         start with an empty directory to give up what was in it",
        file.display(),
        left.display(),
    )))
}

/// Creates the store under another name and renames it when it is complete and on the disk.
fn create(dir: &Path, file: &Path) -> Result<(), Error> {
    let unfinished = dir.join(UNFINISHED);
    let failed = |error| Error::Down(format!("{}: {error}", unfinished.display()));
    let data = private().truncate(true).open(&unfinished).map_err(failed)?;
    let backend = FileBackend::new(data).map_err(|error| refusal(&unfinished, error))?;
    let db = builder()
        .create_with_backend(backend)
        .map_err(|error| refusal(&unfinished, error))?;
    format::create(&db)?;
    db.close().map_err(Fault::from)?;
    sync(&unfinished)
        .and_then(|()| fs::rename(&unfinished, file))
        .and_then(|()| sync(dir))
        .map_err(failed)
}

/// A file with mode 0600: it contains arguments, results and secrets.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn refusal(file: &Path, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => taken(file),
        DatabaseError::Storage(StorageError::Io(error)) if !is_about_content(error.kind()) => {
            Error::Down(format!("{}: {error}", file.display()))
        }
        error => unreadable(file, error),
    }
}

/// The file was read, and is not a valid store.
fn is_about_content(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

pub(super) fn taken(path: &Path) -> Error {
    Error::Down(format!(
        "{} is locked: another process has this store open (a second data plane with the same state \
         directory, or the previous pod of this volume); stop it first",
        path.display()
    ))
}

pub(super) fn unreadable(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::Corrupt(format!(
        "{}: {why}; the file was left as it is. `asyncmcp-dataplane store export --state-dir {} > jobs.jsonl` saves \
         what can be read of it, and `store import` makes a new store of that; or restore the file from a copy",
        file.display(),
        file.parent().unwrap_or(file).display(),
    ))
}
