//! The key ring of the store: encrypts calls, arguments, results and sessions at rest.
//!
//! Stores that keep bytes call [`Sealer`]; the data plane loads it from `store.json` (in a
//! cluster the Secret `<claim>-keys`; on a laptop a file in the state directory).
//! Invariant: what was encrypted for one route, job and field decrypts for no other, and a key that is
//! not in the ring is distinguished from a value that was changed.
//!
//! AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces. The ring's key never encrypts itself:
//! each place has a key of its own, HMAC-SHA256(ring key, place), so that the limit of 2^32
//! encryptions per key with random nonces holds per place and is never reached.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Random bytes that every encryption needs.
pub(super) const NONCE_LEN: usize = 12;
/// Bytes of a key: AES-256.
const KEY_LEN: usize = 32;

type Key = Zeroizing<[u8; KEY_LEN]>;

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("failed to read the store's keys from {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("failed to write new keys of the store to {}", path.display())]
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
    /// A key's id is not a number from 1.
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
    /// `sealWith` names a key that is not in the file.
    #[error("{}: sealWith names {id:?}, which is not among keys", path.display())]
    SealWith {
        /// Which file.
        path: PathBuf,
        /// What it names.
        id: String,
    },
}

/// `store.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    keys: BTreeMap<String, String>,
    seal_with: String,
}

/// The fields of a job or session that are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Call,
    Params,
    Body,
    Session,
    ResumeToken,
}

impl Field {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Params => "params",
            Self::Body => "body",
            Self::Session => "session",
            Self::ResumeToken => "handle",
        }
    }
}

/// Where a value belongs: authenticated with it, so that it decrypts nowhere else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) route: &'a str,
    pub(super) id: [u8; 16],
    pub(super) field: Field,
}

impl Place<'_> {
    /// A route's name has no zero byte and an id is 16 bytes, so no two places are encoded alike.
    fn aad(&self) -> Vec<u8> {
        [
            self.route.as_bytes(),
            &[0],
            &self.id,
            self.field.as_str().as_bytes(),
        ]
        .concat()
    }
}

/// The keys of a store: one encrypts, all decrypt. Without a key values are stored in plain text.
#[derive(Default)]
pub struct Sealer {
    keys: BTreeMap<u32, Key>,
    seals: Option<u32>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} keys)", self.keys.len())
    }
}

impl Sealer {
    /// The ring in the file at `path`.
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
        Self::from_file(&file, path)
    }

    /// The ring in the file at `path`, which is created with mode 0600 if it is missing.
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

    /// Whether values encrypted with `key` can be read; 0 is plain.
    pub(super) fn knows(&self, key: u32) -> bool {
        key == 0 || self.keys.contains_key(&key)
    }

    /// The key's id, and nonce and ciphertext; `None` if there is no key to encrypt with.
    pub(super) fn seal(
        &self,
        place: &Place<'_>,
        plain: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Option<(u32, Vec<u8>)> {
        let id = self.seals?;
        let aad = place.aad();
        let payload = Payload {
            msg: plain,
            aad: &aad,
        };
        let sealed = cipher(&self.keys[&id], &aad).encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.expect("AES-GCM seals anything shorter than 64 GiB");
        Some((id, [&nonce[..], &sealed].concat()))
    }

    /// Decrypts what was encrypted for `place` with the key `id`.
    pub(super) fn open(&self, id: u32, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, super::Error> {
        let key = self.keys.get(&id).ok_or(super::Error::Sealed { key: id })?;
        let aad = place.aad();
        let opened = sealed
            .split_first_chunk::<NONCE_LEN>()
            .and_then(|(nonce, sealed)| {
                let payload = Payload {
                    msg: sealed,
                    aad: &aad,
                };
                cipher(key, &aad).decrypt(&Nonce::from(*nonce), payload).ok()
            });
        opened.ok_or_else(|| {
            super::Error::Corrupt(format!(
                "a {} does not open with key {id}: it was changed or belongs elsewhere",
                place.field.as_str()
            ))
        })
    }

    fn from_file(file: &File, path: &Path) -> Result<Self, Error> {
        let mut keys = BTreeMap::new();
        for (id, text) in &file.keys {
            keys.insert(number(id, path)?, key(id, text, path)?);
        }
        let seals = number(&file.seal_with, path)?;
        if !keys.contains_key(&seals) {
            return Err(Error::SealWith {
                path: path.into(),
                id: file.seal_with.clone(),
            });
        }
        Ok(Self {
            keys,
            seals: Some(seals),
        })
    }
}

/// 0 means "not encrypted", so no key has it.
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

/// The cipher of one place.
fn cipher(key: &Key, aad: &[u8]) -> Aes256Gcm {
    let mut mac = Hmac::<Sha256>::new_from_slice(&**key).expect("HMAC takes a key of any length");
    mac.update(aad);
    Aes256Gcm::new(&mac.finalize().into_bytes())
}

/// Writes a file with one new key beside `path` and renames it, so that it is never read half-written, and no key is lost
/// that encrypted something.
fn create(path: &Path) -> io::Result<()> {
    let key = Zeroizing::new(rand::random::<[u8; KEY_LEN]>());
    let file = File {
        keys: BTreeMap::from([("1".to_owned(), BASE64_STANDARD.encode(*key))]),
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
impl Sealer {
    /// A ring of keys whose bytes are all their id; the last one encrypts.
    pub(super) fn of(ids: &[u8]) -> Self {
        let keys = ids
            .iter()
            .map(|id| (u32::from(*id), Zeroizing::new([*id; KEY_LEN])));
        Self {
            keys: keys.collect(),
            seals: ids.last().copied().map(u32::from),
        }
    }
}

#[cfg(test)]
mod tests;
