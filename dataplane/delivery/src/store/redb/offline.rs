//! Maintenance of a store that no data plane has open: check, export, import, compact.
//!
//! `asyncmcp-dataplane store` and `asyncmcp store` call it. Invariant: check and export never write to the store's files, and no command
//! touches a store that a process has open.

mod export;
mod guard;
mod import;
mod lines;
mod words;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ::redb::{Database, ReadableDatabase as _};

pub use self::export::{Exported, export};
use self::guard::{guarded, whole};
pub use self::import::{Imported, import};
pub use self::words::missing_files;
use super::blob::Folder;
use super::check;
use super::fault::Fault;
use super::file::{Directory, FILE, LOCK, builder, lock_shared, taken, unreadable};
use super::format;
use super::overlay::Overlay;
use super::read::View;
use super::vault::Vault;
use crate::clock::Millis;
use crate::key_file::{self, KeyFile};
use crate::state::Stage;
use crate::store::Error;
use crate::store::seal::Sealer;

/// The file with the keys of a laptop's store, beside the store.
const KEYS: &str = "store.json";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store cannot be opened, read or written.
    #[error(transparent)]
    Store(#[from] Error),
    /// There is no store.
    #[error("there is no store in {0}: name the directory that has jobs.redb in it with --state-dir")]
    NoStore(String),
    /// There is a store where none may be.
    #[error("there is a store in {0} already: import into an empty directory")]
    Occupied(String),
    /// The input or the output failed.
    #[error("cannot read or write the lines")]
    Lines(#[source] io::Error),
    /// A line of the input is not one of an export.
    #[error("line {0} is not a line of an export: {1}")]
    NoLine(usize, String),
}

/// What a check found.
#[derive(Debug)]
pub struct Report {
    /// Jobs by state, as their headers say.
    pub stages: [(Stage, u64); Stage::ALL.len()],
    /// Bytes of pages and of files that rows use.
    pub taken: (u64, u64),
    /// The highest time in the store.
    pub high_water: Millis,
    /// Values by the key that they are encrypted with.
    pub keys: Vec<(u32, u64)>,
    /// What is inconsistent; empty for a valid store.
    pub findings: Vec<String>,
}

/// What opens the values of a store: the keys that lie beside it, or nothing.
pub fn sealer_in(dir: &Path) -> Result<Sealer, key_file::Error> {
    let keys = dir.join(KEYS);
    if keys.is_file() {
        KeyFile::load(&keys).map(Sealer::of_file)
    } else {
        Ok(Sealer::default())
    }
}

/// Compares every row and count with the jobs' headers. Of values whose key is not in `sealer`, only the presence is
/// checked.
pub fn check(dir: &Path, sealer: Sealer) -> Result<Report, Failure> {
    whole(dir, || report(dir, sealer))
}

fn report(dir: &Path, sealer: Sealer) -> Result<Report, Failure> {
    let reading = Reading::open(dir, sealer)?;
    let ledger = format::ledger(&reading.view.0)?;
    let checked = guarded(|| check::look(&reading.view)).unwrap_or_else(|| check::Checked {
        findings: vec!["reading the file panicked".to_owned()],
        ..check::Checked::default()
    });
    let of = |stage: Stage| checked.stages.get(stage.as_str()).copied().unwrap_or(0);
    Ok(Report {
        stages: Stage::ALL.map(|stage| (stage, of(stage))),
        taken: (ledger.usage.pages, ledger.usage.files),
        high_water: ledger.high_water,
        keys: ledger.usage.keys.into_iter().collect(),
        findings: checked.findings,
    })
}

/// Moves pages to the front of the file and truncates it. Returns the file's length before and after, in bytes.
pub fn compact(dir: &Path) -> Result<(u64, u64), Failure> {
    whole(dir, || truncate(dir))
}

fn truncate(dir: &Path) -> Result<(u64, u64), Failure> {
    let path = existing(dir)?;
    let _directory = Directory::open(dir)?;
    let len = || path.metadata().map(|data| data.len()).map_err(Failure::Lines);
    let before = len()?;
    let mut db = builder().open(&path).map_err(Fault::from).map_err(Error::from)?;
    format::read(&db)?;
    while db.compact().map_err(Fault::from).map_err(Error::from)? {}
    db.close().map_err(Fault::from).map_err(Error::from)?;
    Ok((before, len()?))
}

fn existing(dir: &Path) -> Result<std::path::PathBuf, Failure> {
    let path = dir.join(FILE);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Failure::NoStore(dir.display().to_string()))
    }
}

/// A store that is opened to be read only.
struct Reading {
    view: View,
    route: String,
    _db: Closed,
    _lock: Option<File>,
}

/// A database whose drop never panics: redb may, over a page that is damaged.
struct Closed(Option<Database>);

impl Drop for Closed {
    fn drop(&mut self) {
        let db = self.0.take();
        let _damaged = guarded(|| drop(db));
    }
}

impl Reading {
    fn open(dir: &Path, sealer: Sealer) -> Result<Self, Failure> {
        let path = existing(dir)?;
        let down = |error: io::Error| Error::Down(format!("{}: {error}", path.display()));
        let lock = lock_shared(&dir.join(LOCK))?;
        let overlay = File::open(&path).and_then(Overlay::new).map_err(down)?;
        let db = builder()
            .create_with_backend(overlay)
            .map_err(|error| match error {
                ::redb::DatabaseError::DatabaseAlreadyOpen => taken(&path),
                error => unreadable(&path, error),
            })?;
        // What these two read may be damaged, and all else readable.
        if let Some(Err(error @ Error::NewerFormat { .. })) = guarded(|| format::read(&db)) {
            return Err(error.into());
        }
        let route = guarded(|| format::known_route(&db).ok().flatten());
        let route = route.flatten().unwrap_or_default();
        let vault = Vault {
            blobs: Arc::new(Folder::at(dir)),
            sealer: Arc::new(sealer),
            route: route.clone(),
            large: usize::MAX,
        };
        let txn = db.begin_read().map_err(Fault::from).map_err(Error::from)?;
        Ok(Self {
            view: View(txn, Arc::new(vault)),
            route,
            _db: Closed(Some(db)),
            _lock: lock,
        })
    }
}
