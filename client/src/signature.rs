//! Verifies webhook signatures (Standard Webhooks 1.0).
//!
//! Called by `receiver` for every POST; public for applications with their own HTTP server.
//!
//! Invariant: signatures are compared in constant time, and the body is not used before one of them matches.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use url::Url;

#[cfg(test)]
mod tests;

/// Header with the id of the message, the same for every attempt to deliver it.
pub const WEBHOOK_ID: &str = "webhook-id";
/// Header with the time of the attempt, in seconds since 1970.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Header with the signatures, separated by spaces.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// Maximum difference between the attempt's time and the local clock, in seconds.
pub const TOLERANCE_SECONDS: i64 = 5 * 60;

const PREFIX: &str = "whsec_";
/// The salt of derived keys. The gateway has the same: the tests of both use `tests/fixtures/derived-keys.json`.
const SALT: &[u8] = b"asyncmcp.dev/receiver-key/v1";
/// Maximum number of signatures that are checked; a key rotation needs two.
const MAX_SIGNATURES: usize = 16;

/// A signing key: `whsec_` followed by the base64 of 24 to 64 bytes, with or without padding.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// Why a text is not a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The prefix is missing.
    #[error("a signing key must start with whsec_")]
    Prefix,
    /// The rest is not base64.
    #[error("the part of a signing key after whsec_ must be standard base64")]
    Base64,
    /// The key is too short or too long.
    #[error("a signing key must have 24 to 64 bytes, but this one has {0}")]
    Length(usize),
}

impl Key {
    /// Parses a key. White space around it, such as the last line end of a file, is ignored.
    ///
    /// The gateway accepts the same keys: the tests of both use `tests/fixtures/signing-keys.json`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Prefix)?;
        let padded = encoded.ends_with('=');
        let engine = if padded { STANDARD } else { STANDARD_NO_PAD };
        let bytes = engine.decode(encoded).map_err(|_| KeyError::Base64)?;
        match bytes.len() {
            24..=64 => Ok(Self(bytes)),
            other => Err(KeyError::Length(other)),
        }
    }

    /// The key with which a route whose key this is signs for `receiver`, if a client named it without a secret:
    /// HKDF-SHA256 (RFC 5869) of the route's key, with the receiver's origin (`https://hooks.example.com`) as info. It
    /// is the same for all URLs of the origin.
    #[must_use]
    pub fn for_receiver(&self, receiver: &Url) -> Self {
        let origin = receiver.origin().ascii_serialization();
        let mut derived = vec![0; 32];
        Hkdf::<Sha256>::new(Some(SALT), &self.0)
            .expand(origin.as_bytes(), &mut derived)
            .expect("HKDF-SHA256 gives up to 8,160 bytes");
        Self(derived)
    }

    /// The key as text: `whsec_` followed by base64.
    pub fn whsec(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    fn signed(&self, content: &[&[u8]], signature: &[u8]) -> bool {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        let mac = content.iter().fold(mac, Mac::chain_update);
        mac.verify_slice(signature).is_ok() // in constant time
    }
}

/// Does not print the key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A POST whose signature is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The `webhook-id`: deduplicate on it.
    pub id: String,
    /// The `webhook-timestamp`, in seconds since 1970.
    pub timestamp: i64,
}

/// Why the signature of a POST is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A header is missing or not text.
    #[error("header {0} is missing or not text")]
    Header(&'static str),
    /// `webhook-timestamp` is not a number.
    #[error("header webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// The attempt was made more than five minutes ago, or a clock is wrong.
    #[error("webhook-timestamp is more than 5 minutes in the past")]
    TooOld,
    /// The attempt's time is more than five minutes in the future, so a clock is wrong.
    #[error("webhook-timestamp is more than 5 minutes in the future")]
    TooNew,
    /// No signature matches any key.
    #[error("no signature matches any of the keys")]
    Mismatch,
}

/// Verifies one POST. `now` is the current time in seconds since 1970.
pub fn verify(keys: &[Key], headers: &HeaderMap, body: &[u8], now: i64) -> Result<Verified, Error> {
    let id = text(headers, WEBHOOK_ID)?;
    let written = text(headers, WEBHOOK_TIMESTAMP)?;
    let signatures = text(headers, WEBHOOK_SIGNATURE)?;
    let timestamp: i64 = written.parse().map_err(|_| Error::Timestamp)?;
    match now.saturating_sub(timestamp) {
        age if age > TOLERANCE_SECONDS => return Err(Error::TooOld),
        age if age < -TOLERANCE_SECONDS => return Err(Error::TooNew),
        _ => {}
    }
    let content: [&[u8]; 5] = [id.as_bytes(), b".", written.as_bytes(), b".", body];
    let holds = decoded(signatures).any(|signature| keys.iter().any(|key| key.signed(&content, &signature)));
    let verified = Verified {
        id: id.to_owned(),
        timestamp,
    };
    holds.then_some(verified).ok_or(Error::Mismatch)
}

/// The symmetric signatures (`v1`) in the header; other versions are ignored.
fn decoded(signatures: &str) -> impl Iterator<Item = Vec<u8>> {
    signatures
        .split(' ')
        .take(MAX_SIGNATURES)
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Error> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.filter(|text| !text.is_empty()).ok_or(Error::Header(name))
}
