//! Standard Webhooks 1.0 signatures, the symmetric kind (`v1`, HMAC-SHA256).
//!
//! The sender signs each attempt again. A route's key signs for the route's own receiver alone; for a receiver that a
//! client names, a key derived from it signs, which is of no use anywhere else. Invariant: a key never appears in a log, an error
//! or a `Debug` text, and its memory is wiped when it goes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
const SHORTEST: usize = 24;
const LONGEST: usize = 64;
/// The salt of derived keys (HKDF-SHA256, RFC 5869), part of the format: the client library has the same.
const SALT: &[u8] = b"asyncmcp.dev/receiver-key/v1";

/// The text is not a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It lacks the prefix.
    #[error("a signing key must begin with \"whsec_\"")]
    Prefix,
    /// The part after the prefix is not base64.
    #[error("the part of a signing key after \"whsec_\" must be standard base64")]
    Base64,
    /// Too short or too long.
    #[error("a signing key must have 24 to 64 bytes, not {0}")]
    Length(usize),
}

/// A key that signs webhooks.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl std::str::FromStr for SigningKey {
    type Err = Error;

    /// Reads `whsec_` and base64, with or without padding; space around it is dropped.
    fn from_str(text: &str) -> Result<Self, Error> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(Error::Prefix)?;
        let engine = if encoded.ends_with('=') {
            STANDARD
        } else {
            STANDARD_NO_PAD
        };
        let key = Zeroizing::new(engine.decode(encoded).map_err(|_| Error::Base64)?);
        Self::from_bytes(&key)
    }
}

impl SigningKey {
    /// Its bytes, for the store only.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key for the receivers of one origin (`https://hooks.example.com`), derived from this one: nobody who knows
    /// it can sign for another origin.
    #[must_use]
    pub fn for_origin(&self, origin: &str) -> Self {
        let mut derived = Zeroizing::new(vec![0; 32]);
        Hkdf::<Sha256>::new(Some(SALT), &self.0)
            .expand(origin.as_bytes(), &mut derived)
            .expect("HKDF-SHA256 gives up to 8,160 bytes");
        Self(derived)
    }

    /// The key as text, for a receiver that is to verify with it.
    pub fn whsec(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(&*self.0)))
    }

    /// The key of these bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if (SHORTEST..=LONGEST).contains(&bytes.len()) {
            Ok(Self(Zeroizing::new(bytes.to_vec())))
        } else {
            Err(Error::Length(bytes.len()))
        }
    }
}

/// The `webhook-signature` of one attempt: a signature per key, in the order of the keys.
pub fn sign(keys: &[SigningKey], id: &str, timestamp: u64, body: &[u8]) -> String {
    let signatures: Vec<_> = keys
        .iter()
        .map(|key| format!("v1,{}", STANDARD.encode(mac(key, id, timestamp, body))))
        .collect();
    signatures.join(" ")
}

fn mac(key: &SigningKey, id: &str, timestamp: u64, body: &[u8]) -> impl AsRef<[u8]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> String {
        format!("{PREFIX}{}", STANDARD.encode(bytes))
    }

    #[test]
    fn an_independent_verifier_accepts_each_key_of_a_rotation() {
        let (old, new) = (key(&[1; 24]), key(&[2; 64]));
        let keys = [old.parse().unwrap(), format!(" {new}\n").parse().unwrap()];
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let signature = sign(&keys, "msg_1", now.as_secs(), b"{\"ok\":true}");
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.as_secs().to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        for secret in [&old, &new] {
            let verifier = standardwebhooks::Webhook::new(secret).unwrap();
            verifier.verify(b"{\"ok\":true}", &headers).unwrap();
            assert!(verifier.verify(b"{\"ok\":false}", &headers).is_err());
        }
        let stranger = standardwebhooks::Webhook::new(&key(&[3; 32])).unwrap();
        assert!(stranger.verify(b"{\"ok\":true}", &headers).is_err());
    }

    #[test]
    fn each_key_has_a_signature_and_no_key_has_none() {
        let keys: Vec<SigningKey> = [[1; 32], [2; 32]]
            .iter()
            .map(|bytes| key(bytes).parse().unwrap())
            .collect();
        let both = sign(&keys, "a", 1, b"");
        let parts: Vec<_> = both.split(' ').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0], sign(&keys[..1], "a", 1, b""));
        assert_ne!(parts[0], parts[1]);
        assert_eq!(sign(&[], "a", 1, b""), "");
    }

    #[test]
    fn says_what_is_wrong_with_a_key() {
        let parse = |text: &str| text.parse::<SigningKey>().unwrap_err();
        assert_eq!(parse("c2VjcmV0"), Error::Prefix);
        assert_eq!(parse("whsec_***"), Error::Base64);
        assert_eq!(parse(&key(&[0; 23])), Error::Length(23));
        assert_eq!(parse(&key(&[0; 65])), Error::Length(65));
        assert!(key(&[0; 25]).trim_end_matches('=').parse::<SigningKey>().is_ok());
    }

    /// The client library has the same test, so that a Secret works on both sides or on neither.
    #[test]
    fn the_keys_of_the_shared_fixture_are_accepted_or_refused_as_it_says() {
        let fixture = include_str!("../../../tests/fixtures/signing-keys.json");
        let cases: Vec<(String, Option<usize>)> = serde_json::from_str(fixture).unwrap();
        for (text, bytes) in cases {
            let parsed = text.parse::<SigningKey>().ok();
            assert_eq!(parsed.map(|key| key.bytes().len()), bytes, "{text:?}");
        }
    }

    /// The fixture's keys were derived by an implementation that is not ours, and the client library reads it too.
    #[test]
    fn a_key_for_an_origin_is_what_the_shared_fixture_says() {
        let fixture = include_str!("../../../tests/fixtures/derived-keys.json");
        let cases: Vec<[String; 3]> = serde_json::from_str(fixture).unwrap();
        for [key, url, derived] in cases {
            let origin = url::Url::parse(&url).unwrap().origin().ascii_serialization();
            let found = key.parse::<SigningKey>().unwrap().for_origin(&origin);
            assert_eq!(*found.whsec(), derived, "{url}");
        }
    }

    #[test]
    fn hides_the_key_from_debug_output() {
        let parsed: SigningKey = key(&[7; 24]).parse().unwrap();
        assert_eq!(format!("{parsed:?}"), "SigningKey(..)");
    }
}
