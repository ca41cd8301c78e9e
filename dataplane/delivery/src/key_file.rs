//! A key ring as a file: `{"keys": {id: base64}, "sealWith": id}`.
//!
//! The store's ring ([`crate::store::seal`]) and the data plane's ring for session ids are read with it. In a cluster the
//! operator mounts the files, on a laptop they are created in the state directory. Invariant: a file that is created is
//! durable before anything is sealed with its key, and is never seen in part.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Bytes of a key: AES-256.
pub const KEY_LEN: usize = 32;

/// A key; its memory is cleared when it is dropped.
pub type Key = Zeroizing<[u8; KEY_LEN]>;

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("failed to read keys from {} as user {}", path.display(), rustix::process::geteuid().as_raw())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("failed to write new keys to {} as user {}", path.display(), rustix::process::geteuid().as_raw())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is not `{keys: {id: base64}, sealWith}`.
    #[error("{} is not {{\"keys\": {{id: base64 key}}, \"sealWith\": id}}", path.display())]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A key's id is not a number from 1 on.
    #[error("{}: the key id {id:?} is not a number from 1 to 4294967295", path.display())]
    Id {
        /// Which file.
        path: PathBuf,
        /// What it says.
        id: String,
    },
    /// A key is not 32 bytes in base64.
    #[error("{}: key {id:?} is not {KEY_LEN} bytes in base64", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Which key.
        id: String,
    },
    /// `sealWith` names no key of the file.
    #[error("{}: sealWith names {id:?}, which is not among keys", path.display())]
    SealWith {
        /// Which file.
        path: PathBuf,
        /// What it names.
        id: String,
    },
}

/// The keys of a file.
pub struct KeyFile {
    /// All keys, by id; an id is never 0.
    pub keys: BTreeMap<u32, Key>,
    /// The id of the one that seals.
    pub seal_with: u32,
}

/// The file as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    keys: BTreeMap<String, String>,
    seal_with: String,
}

impl KeyFile {
    /// The keys in the file at `path`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map(Zeroizing::new);
        let text = text.map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        let file = serde_json::from_slice(&text).map_err(|source| Error::Shape {
            path: path.into(),
            source,
        })?;
        Self::of(&file, path)
    }

    /// The keys in the file at `path`, which is created, readable by its owner only, where there is none.
    pub fn open_or_create(path: &Path) -> Result<Self, Error> {
        match Self::load(path) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(|source| Error::Write {
                    path: path.into(),
                    source,
                })?;
                Self::load(path)
            }
            other => other,
        }
    }

    fn of(file: &File, path: &Path) -> Result<Self, Error> {
        let mut keys = BTreeMap::new();
        for (id, text) in &file.keys {
            keys.insert(number(id, path)?, key(id, text, path)?);
        }
        let seal_with = number(&file.seal_with, path)?;
        if !keys.contains_key(&seal_with) {
            return Err(Error::SealWith {
                path: path.into(),
                id: file.seal_with.clone(),
            });
        }
        Ok(Self { keys, seal_with })
    }
}

/// A new random key.
pub fn random() -> Key {
    Zeroizing::new(rand::random())
}

/// 0 stands for "not sealed", so no key has it.
fn number(id: &str, path: &Path) -> Result<u32, Error> {
    let number = id.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Error::Id {
        path: path.into(),
        id: id.to_owned(),
    })
}

fn key(id: &str, text: &str, path: &Path) -> Result<Key, Error> {
    let bytes = BASE64_STANDARD.decode(text.trim()).map(Zeroizing::new);
    let key = bytes.ok().and_then(|bytes| bytes.as_slice().try_into().ok());
    key.map(Zeroizing::new).ok_or_else(|| Error::Key {
        path: path.into(),
        id: id.to_owned(),
    })
}

/// Writes a file with one new key beside `path` and moves it there. The directory is synced too: a key that sealed
/// something must not be lost with the power.
fn create(path: &Path) -> io::Result<()> {
    let file = File {
        keys: BTreeMap::from([("1".to_owned(), BASE64_STANDARD.encode(*random()))]),
        seal_with: "1".to_owned(),
    };
    let partial = path.with_extension("partial");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = options.open(&partial)?;
    out.write_all(&Zeroizing::new(serde_json::to_vec(&file)?))?;
    out.sync_all()?;
    std::fs::rename(&partial, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    std::fs::File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_made_at_first_start_is_private_and_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.json");
        let made = KeyFile::open_or_create(&path).unwrap();
        let again = KeyFile::open_or_create(&path).unwrap();
        assert_eq!((again.seal_with, &again.keys), (1, &made.keys));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_bad_file_is_refused_with_what_is_wrong_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.json");
        let good = BASE64_STANDARD.encode([1; KEY_LEN]);
        for (text, complaint) in [
            ("{}".to_owned(), "is not {\"keys\""),
            (
                r#"{"keys":{"1":"AAAA"},"sealWith":"1"}"#.to_owned(),
                "key \"1\" is not 32 bytes",
            ),
            (
                format!(r#"{{"keys":{{"0":"{good}"}},"sealWith":"0"}}"#),
                "id \"0\" is not a number from 1",
            ),
            (
                format!(r#"{{"keys":{{"a":"{good}"}},"sealWith":"a"}}"#),
                "id \"a\" is not a number",
            ),
            (
                format!(r#"{{"keys":{{"1":"{good}"}},"sealWith":"2"}}"#),
                "sealWith names \"2\"",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = KeyFile::load(&path).err().expect(complaint).to_string();
            assert!(error.contains(complaint), "{error}");
        }
        let absent = KeyFile::load(&dir.path().join("absent"));
        assert!(matches!(absent, Err(Error::Read { .. })));
    }
}
