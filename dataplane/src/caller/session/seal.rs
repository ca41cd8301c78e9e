//! The key ring: what seals text that clients carry for us, and opens it again.
//!
//! [`super::LegacySession`] seals session ids with it, [`crate::servers::lines`] the ids of servers'
//! requests. The keys come from `sessions.json` (in a cluster from the Secret `<route>-keys`; on a laptop from the state
//! directory).
//! Invariant: what was sealed for one purpose or one route opens for no other.

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use asyncmcp_delivery::key_file::{self, Key, KeyFile};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Random bytes that every encryption needs. Never the same twice under one key.
pub const NONCE_LEN: usize = 12;
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
    /// The ring of a file: its `sealWith` seals.
    pub fn of_file(mut file: KeyFile) -> Self {
        let seals = file.keys.remove(&file.seal_with);
        Self {
            seals: cipher(&seals.expect("KeyFile has the key that seals")),
            others: file.keys.values().map(cipher).collect(),
        }
    }

    /// A ring that nobody else has and that ends with the process.
    pub fn random() -> Self {
        Self {
            seals: cipher(&key_file::random()),
            others: Vec::new(),
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
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new((&**key).into())
}

/// Neither part can hold a zero byte, so no two pairs are spelt alike.
fn aad(purpose: &str, route: &str) -> Vec<u8> {
    [purpose.as_bytes(), &[0], route.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
    fn a_rotated_ring_opens_what_the_old_key_sealed() {
        let ring = |keys: &[u8]| {
            let keys: BTreeMap<u32, Key> = keys
                .iter()
                .map(|key| (u32::from(*key), Key::new([*key; key_file::KEY_LEN])))
                .collect();
            let seal_with = *keys.keys().max().unwrap();
            Ring::of_file(KeyFile { keys, seal_with })
        };
        let text = ring(&[1]).seal("p", "r", b"x", NONCE);
        let both = ring(&[1, 2]);
        assert!(both.open("p", "r", &text).is_some());
        let rotated = ring(&[2]);
        assert!(rotated.open("p", "r", &text).is_none());
        let newer = both.seal("p", "r", b"x", NONCE);
        assert!(rotated.open("p", "r", &newer).is_some());
    }
}
