//! The offsets as a file beside the store.
//!
//! [`super::Clock`] reads it at the start and writes it whenever the wall clock was set. It is no part of the store: it
//! changes what is shown and never what is done, so a lost file costs the right date of old jobs and nothing else, and
//! the store's format and its commits stay as they are. Invariant: the file is replaced whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::offsets::Offsets;

/// The file's name in the state directory.
pub(super) const NAME: &str = "clock.json";

/// What the file says; nothing where there is none.
pub(super) fn load(path: &Path) -> io::Result<Offsets> {
    match std::fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Offsets::default()),
        Err(error) => Err(error),
    }
}

pub(super) fn save(path: &Path, offsets: &Offsets) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&serde_json::to_vec(offsets)?)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}
