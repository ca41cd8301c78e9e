//! The key ring: what seals text that clients carry for us, and opens it again.
//!
//! [`super::Session`] seals session ids with it, the upstream side the ids of servers'
//! requests. The keys come from `sessions.json` (in a cluster the operator's
//! `<route>-keys` Secret; on a laptop a file in the state directory).
//! Invariant: what was sealed for one purpose or one route opens for no other.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Bytes of chance that every sealing needs. Never the same twice under one key.
pub const NONCE_LEN: usize = 12;
/// Bytes of a key: AES-256.
const KEY_LEN: usize = 32;

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("failed to read the session keys from {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("failed to write new session keys to {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
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

/// `sessions.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    keys: BTreeMap<String, String>,
    seal_with: String,
}

/// The keys of this route: one seals, all open. Taking a key out of the file ends what it sealed.
pub struct Ring {
    seals: Aes256Gcm,
    others: Vec<Aes256Gcm>,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ring({} keys)", 1 + self.others.len())
    }
}

impl Ring {
    /// The ring in the file at `path`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path)
            .map(Zeroizing::new)
            .map_err(|source| Error::Read {
                path: path.into(),
                source,
            })?;
        let file = serde_json::from_slice(&text).map_err(|source| Error::Shape {
            path: path.into(),
            source,
        })?;
        Self::from_file(&file, path)
    }

    /// A ring that nobody else has and that ends with the process.
    pub fn random() -> Self {
        let key = Zeroizing::new(rand::random::<[u8; KEY_LEN]>());
        Self {
            seals: Aes256Gcm::new((&*key).into()),
            others: Vec::new(),
        }
    }

    /// The ring in the file at `path`, which is made, for its owner's eyes only, when there is none.
    pub fn open_or_create(path: &Path) -> Result<Self, Error> {
        match Self::load(path) {
            Err(Error::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                create(path).map_err(|source| Error::Write {
                    path: path.into(),
                    source,
                })?;
                Self::load(path)
            }
            other => other,
        }
    }

    /// Seals `plain` for `purpose` on `route`; the text is base64url without padding.
    pub fn seal(&self, purpose: &str, route: &str, plain: &[u8], nonce: [u8; NONCE_LEN]) -> String {
        let aad = aad(purpose, route);
        let payload = Payload {
            msg: plain,
            aad: &aad,
        };
        let sealed = self
            .seals
            .encrypt(&Nonce::from(nonce), payload)
            .expect("AES-GCM seals anything shorter than 64 GiB");
        BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())
    }

    /// What was sealed, or `None` when no key of this ring sealed it for this purpose and route.
    pub fn open(&self, purpose: &str, route: &str, text: &str) -> Option<Vec<u8>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let aad = aad(purpose, route);
        let payload = || Payload {
            msg: sealed,
            aad: &aad,
        };
        std::iter::once(&self.seals)
            .chain(&self.others)
            .find_map(|key| key.decrypt(&Nonce::from(*nonce), payload()).ok())
    }

    fn from_file(file: &File, path: &Path) -> Result<Self, Error> {
        if !file.keys.contains_key(&file.seal_with) {
            let (path, id) = (path.into(), file.seal_with.clone());
            return Err(Error::SealWith { path, id });
        }
        let mut keys = BTreeMap::new();
        for (id, text) in &file.keys {
            let key = cipher(text).ok_or_else(|| Error::Key {
                path: path.into(),
                id: id.clone(),
            })?;
            keys.insert(id, key);
        }
        Ok(Self {
            seals: keys.remove(&file.seal_with).expect("looked up above"),
            others: keys.into_values().collect(),
        })
    }
}

/// The key that `text` spells, ready for use.
fn cipher(text: &str) -> Option<Aes256Gcm> {
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).ok()?);
    Aes256Gcm::new_from_slice(&bytes).ok()
}

/// Neither part can hold a zero byte, so no two pairs are spelt alike.
fn aad(purpose: &str, route: &str) -> Vec<u8> {
    [purpose.as_bytes(), &[0], route.as_bytes()].concat()
}

/// Writes a file with one new key beside `path` and moves it there, so that no half of it is ever read.
fn create(path: &Path) -> std::io::Result<()> {
    let key = Zeroizing::new(rand::random::<[u8; KEY_LEN]>());
    let file = File {
        keys: BTreeMap::from([("1".to_owned(), BASE64_STANDARD.encode(*key))]),
        seal_with: "1".to_owned(),
    };
    let partial = path.with_extension("partial");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&partial)?;
    out.write_all(&Zeroizing::new(serde_json::to_vec(&file)?))?;
    out.sync_all()?;
    std::fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let ring = Ring::random();
        let text = ring.seal("session", "route-1", b"plain", NONCE);
        assert_eq!(
            ring.open("session", "route-1", &text).as_deref(),
            Some(&b"plain"[..])
        );
        assert_eq!(ring.open("session", "route-2", &text), None);
        assert_eq!(ring.open("request", "route-1", &text), None);
        assert_eq!(Ring::random().open("session", "route-1", &text), None);
        for broken in ["", "!", "AAAA", &text[1..], &text[..text.len() - 4]] {
            assert_eq!(ring.open("session", "route-1", broken), None, "{broken}");
        }
    }

    #[test]
    fn a_file_made_at_first_start_is_private_and_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.json");
        let text = Ring::open_or_create(&path).unwrap().seal("p", "r", b"x", NONCE);
        assert!(
            Ring::open_or_create(&path)
                .unwrap()
                .open("p", "r", &text)
                .is_some()
        );
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_rotated_ring_opens_what_the_old_key_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.json");
        let [old, new] = [[1; 32], [2; 32]].map(|key| BASE64_STANDARD.encode(key));
        let write = |keys: &str, with: &str| {
            std::fs::write(&path, format!(r#"{{"keys":{{{keys}}},"sealWith":"{with}"}}"#)).unwrap();
            Ring::load(&path)
        };
        let text = write(&format!(r#""a":"{old}""#), "a")
            .unwrap()
            .seal("p", "r", b"x", NONCE);
        let both = write(&format!(r#""a":"{old}","b":"{new}""#), "b").unwrap();
        assert!(both.open("p", "r", &text).is_some());
        let rotated = write(&format!(r#""b":"{new}""#), "b").unwrap();
        assert!(rotated.open("p", "r", &text).is_none());
        assert!(
            rotated
                .open("p", "r", &both.seal("p", "r", b"x", NONCE))
                .is_some()
        );
    }

    #[test]
    fn a_bad_file_is_refused_with_what_is_wrong_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.json");
        for (text, complaint) in [
            ("{}", "is not {\"keys\""),
            (
                r#"{"keys":{"a":"AAAA"},"sealWith":"a"}"#,
                "key \"a\" is not 32 bytes",
            ),
            (r#"{"keys":{},"sealWith":"b"}"#, "sealWith names \"b\""),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Ring::load(&path).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert!(matches!(
            Ring::load(&dir.path().join("absent")),
            Err(Error::Read { .. })
        ));
    }
}
