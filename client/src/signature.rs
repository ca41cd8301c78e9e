//! Is a webhook what it says it is? Standard Webhooks 1.0, the receiver's side.
//!
//! Called by `receiver` for every POST; of use to any receiver of its own making.
//!
//! Invariant: signatures are compared in constant time, and nothing of the body is believed
//! before one of them holds.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

#[cfg(test)]
mod tests;

/// The header of the message's id; every attempt to deliver it has the same.
pub const WEBHOOK_ID: &str = "webhook-id";
/// The header of the attempt's time, seconds since 1970.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// The header of the signatures, separated by spaces.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// How far the attempt's time may be from ours, in seconds.
pub const TOLERANCE_SECONDS: i64 = 5 * 60;

const PREFIX: &str = "whsec_";
/// Signatures that are tried; a rotation needs two.
const MAX_SIGNATURES: usize = 16;

/// A signing key: `whsec_` and the base64 of 24 to 64 bytes.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// A text is no signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing key is `whsec_` followed by the base64 of 24 to 64 bytes")]
pub struct KeyError;

impl Key {
    /// Reads a key; white space around it, such as a file's last line end, is no part of it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(KeyError)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError)?;
        match bytes.len() {
            24..=64 => Ok(Self(bytes)),
            _ => Err(KeyError),
        }
    }

    fn signed(&self, content: &[&[u8]], signature: &[u8]) -> bool {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        let mac = content.iter().fold(mac, Mac::chain_update);
        mac.verify_slice(signature).is_ok() // in constant time
    }
}

/// Never the key itself.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A POST whose signature held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// `webhook-id`: deduplicate on it.
    pub id: String,
    /// `webhook-timestamp`, seconds since 1970.
    pub timestamp: i64,
}

/// Why a POST is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A header is missing, or no text.
    #[error("header {0} is missing or unreadable")]
    Header(&'static str),
    /// The attempt's time is no number.
    #[error("header webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// The attempt was made more than five minutes ago, or one of the clocks is wrong.
    #[error("webhook-timestamp is more than 5 minutes in the past")]
    TooOld,
    /// The attempt will be made in more than five minutes.
    #[error("webhook-timestamp is more than 5 minutes in the future")]
    TooNew,
    /// No signature holds with any key.
    #[error("no signature holds with any of the keys")]
    Mismatch,
}

/// Checks one POST at `now`, in seconds since 1970.
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

/// The symmetric signatures (`v1`) in the header; other versions are for other readers.
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
