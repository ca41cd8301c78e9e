//! Large bodies as files beside the database.
//!
//! The vault writes and reads them, the writer removes them. Invariant: a file is on the disk, its
//! name included, before the commit that names it; it is removed after the commit that drops it;
//! and a name is never used twice, so no file is ever overwritten.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::directory;
use crate::id::JobId;
use crate::store::seal::Field;

/// The folder of the bodies.
pub(super) const FOLDER: &str = "blobs";
/// A place for large bodies.
pub(super) trait Blobs: Send + Sync {
    /// Writes a new file; it survives a power cut once this returned.
    fn write(&self, name: Name, bytes: &[u8]) -> io::Result<()>;
    /// The file's bytes.
    fn read(&self, name: Name) -> io::Result<Vec<u8>>;
    /// Removes the file. A power cut may bring it back.
    fn remove(&self, name: Name) -> io::Result<()>;
    /// Every file that has such a name.
    fn list(&self) -> io::Result<Vec<Name>>;
}

/// A file's name: `<job id>.<params|body>.<tag, 16 hexadecimal digits>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: JobId,
    pub(super) field: Field,
    pub(super) tag: u64,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, field, tag } = self;
        write!(f, "{id}.{}.{tag:016x}", field.as_str())
    }
}

/// The text is not such a name.
#[derive(Debug)]
pub(super) struct NoName;

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let parts: Vec<_> = text.split('.').collect();
        let [id, field, tag] = parts[..] else {
            return Err(NoName);
        };
        let fields = [Field::Params, Field::Body];
        let field = fields.into_iter().find(|known| known.as_str() == field);
        let name = Self {
            id: id.parse().map_err(|_| NoName)?,
            field: field.ok_or(NoName)?,
            tag: u64::from_str_radix(tag, 16).map_err(|_| NoName)?,
        };
        // Only one spelling is valid.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(NoName)
        }
    }
}

/// A written file that no commit names yet. Dropping it removes the file.
pub(super) struct Draft {
    blobs: Arc<dyn Blobs>,
    name: Option<Name>,
}

impl Draft {
    /// Writes the file.
    pub(super) fn write(blobs: Arc<dyn Blobs>, name: Name, bytes: &[u8]) -> io::Result<Self> {
        // Created first, so that a failed write leaves nothing.
        let draft = Self {
            blobs,
            name: Some(name),
        };
        draft.blobs.write(name, bytes)?;
        Ok(draft)
    }

    /// Keeps the file: a commit is about to name it.
    pub(super) fn keep(mut self) -> Option<Name> {
        self.name.take()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            // One that cannot be removed is an orphan, which the next start removes.
            let _ = self.blobs.remove(name);
        }
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({:?})", self.name)
    }
}

/// A directory of this store's own.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The directory `blobs` in `dir`, created if missing.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        directory::make(&folder)?;
        Ok(Self(folder))
    }

    /// Whether there are bodies in `dir`.
    pub(super) fn holds_any(dir: &Path) -> io::Result<bool> {
        match std::fs::read_dir(dir.join(FOLDER)) {
            Ok(mut bodies) => Ok(bodies.next().is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The same, only for reading.
    pub(super) fn at(dir: &Path) -> Self {
        Self(dir.join(FOLDER))
    }

    fn path(&self, name: Name) -> PathBuf {
        self.0.join(name.to_string())
    }
}

impl Blobs for Folder {
    fn write(&self, name: Name, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        File::open(&self.0)?.sync_all()
    }

    fn read(&self, name: Name) -> io::Result<Vec<u8>> {
        fs::read(self.path(name))
    }

    fn remove(&self, name: Name) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn list(&self) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            // A file with another name is not ours.
            names.extend(
                entry?
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse::<Name>().ok()),
            );
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;

    const NAME: fn() -> Name = || Name {
        id: JobId::new(Millis(1_795_000_000_000), [3; 10]),
        field: Field::Body,
        tag: 0xab,
    };

    #[test]
    fn a_name_reads_back_and_others_are_none() {
        let text = NAME().to_string();
        assert_eq!(text.parse::<Name>().unwrap(), NAME());
        let call = text.replace("body", "call");
        for other in [
            "",
            "jobs.redb",
            "a.body.1",
            &call,
            &text.to_uppercase(),
            &text[..text.len() - 1],
        ] {
            assert!(other.parse::<Name>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_draft_goes_unless_it_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(dir.path()).unwrap());
        drop(Draft::write(folder.clone(), NAME(), b"bytes").unwrap());
        assert_eq!(folder.list().unwrap(), []);
        let draft = Draft::write(folder.clone(), NAME(), b"bytes").unwrap();
        assert_eq!(draft.keep(), Some(NAME()));
        assert_eq!(folder.list().unwrap(), [NAME()]);
        assert_eq!(folder.read(NAME()).unwrap(), b"bytes");
    }

    #[test]
    fn files_with_other_names_are_not_listed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        fs::write(dir.path().join("blobs/notes.txt"), "mine").unwrap();
        folder.write(NAME(), b"bytes").unwrap();
        assert_eq!(folder.list().unwrap(), [NAME()]);
    }
}
