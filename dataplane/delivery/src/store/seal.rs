//! The key ring of the store: encrypts calls, arguments, results and sessions at rest.
//!
//! Stores that keep bytes call [`Sealer`]; the data plane reads it from `store.json` (in a cluster from the Secret
//! `<claim>-keys`, which belongs to the volume; on a laptop from the state directory).
//! Invariant: what was encrypted for one route, job and field decrypts for no other, and a key that is
//! not in the ring is distinguished from a value that was changed.
//!
//! AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces. The ring's key never encrypts itself:
//! each place has a key of its own, HMAC-SHA256(ring key, place), so that the limit of 2^32
//! encryptions per key with random nonces holds per place and is never reached.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::key_file::{Key, KeyFile};

/// Random bytes that every encryption needs.
pub(super) const NONCE_LEN: usize = 12;
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
    pub(super) const ALL: [Self; 5] = [
        Self::Call,
        Self::Params,
        Self::Body,
        Self::Session,
        Self::ResumeToken,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Params => "params",
            Self::Body => "body",
            Self::Session => "session",
            Self::ResumeToken => "resume_token",
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
    /// The ring of a file: its `sealWith` seals.
    pub fn of_file(file: KeyFile) -> Self {
        Self {
            keys: file.keys,
            seals: Some(file.seal_with),
        }
    }

    /// Whether every value is encrypted.
    pub(super) fn seals(&self) -> bool {
        self.seals.is_some()
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
}

/// The cipher of one place.
fn cipher(key: &Key, aad: &[u8]) -> Aes256Gcm {
    let mut mac = Hmac::<Sha256>::new_from_slice(&**key).expect("HMAC takes a key of any length");
    mac.update(aad);
    Aes256Gcm::new(&mac.finalize().into_bytes())
}

#[cfg(test)]
impl Sealer {
    /// A ring of keys whose bytes are all their id; the last one encrypts.
    pub(super) fn of(ids: &[u8]) -> Self {
        let keys = ids.iter().map(|id| {
            (
                u32::from(*id),
                zeroize::Zeroizing::new([*id; crate::key_file::KEY_LEN]),
            )
        });
        Self {
            keys: keys.collect(),
            seals: ids.last().copied().map(u32::from),
        }
    }
}

#[cfg(test)]
mod tests;
