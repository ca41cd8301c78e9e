//! A job's id: 48 bits of milliseconds, then 80 random bits.
//!
//! Made at acceptance; it is the MCP task id, so it is a capability and must not be
//! guessable, while its leading time lets a store append. Receivers never see it;
//! they see [`JobId::webhook_id`], which is one-way and the same for ever.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::clock::Millis;

/// Crockford's base 32, lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 26 characters of five bits hold 128 bits, the first of them only three.
const TEXT_LEN: usize = 26;
/// What a `webhook-id` begins with.
const PREFIX: &str = "msg_";

/// The id of a job. Orders by the time of acceptance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId([u8; 16]);

impl JobId {
    /// Before every id.
    pub const MIN: Self = Self([0; 16]);
    /// After every id.
    pub const MAX: Self = Self([255; 16]);

    /// The id of a job accepted at `at`; `random` is ten random bytes.
    pub fn new(at: Millis, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.0.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// The first id of jobs accepted at `at` or later.
    pub fn first_at(at: Millis) -> Self {
        Self::new(Millis(at.0.min((1 << 48) - 1)), [0; 10])
    }

    /// The next id; no job has the last one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(u128::from_be_bytes(self.0).saturating_add(1).to_be_bytes())
    }

    /// The id whose stored form is `bytes`.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The stored form; its order is the id's order.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The `webhook-id` of every attempt to deliver this job (Standard Webhooks 1.0).
    pub fn webhook_id(self) -> String {
        self.webhook().to_string()
    }

    /// The same, to compare with.
    pub fn webhook(self) -> WebhookId {
        let digest = Sha256::new()
            .chain_update("asyncmcp webhook-id")
            .chain_update(self.to_string())
            .finalize();
        WebhookId(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
    }
}

/// The `webhook-id` of a job's attempts: `msg_` and 32 hexadecimal digits. Nothing leads from it back to the job's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookId([u8; 16]);

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not a `webhook-id`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a webhook-id (msg_ and 32 hexadecimal digits)")]
pub struct NoWebhookId;

impl FromStr for WebhookId {
    type Err = NoWebhookId;

    fn from_str(text: &str) -> Result<Self, NoWebhookId> {
        let digits = text.strip_prefix(PREFIX).ok_or(NoWebhookId)?;
        let is_hex = digits.len() == 32
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        number.map(|number| Self(number.to_be_bytes())).ok_or(NoWebhookId)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        (0..TEXT_LEN).rev().try_for_each(|place| {
            let digit = (bits >> (5 * place)) & 31;
            f.write_char(char::from(
                ALPHABET[usize::try_from(digit).expect("five bits fit")],
            ))
        })
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a job id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a job id (26 lower-case letters and digits)")]
pub struct ParseError;

impl FromStr for JobId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() != TEXT_LEN || text.as_bytes()[0] > b'7' {
            return Err(ParseError);
        }
        let bits = text.bytes().try_fold(0u128, |bits, byte| {
            let digit = ALPHABET.iter().position(|known| *known == byte)?;
            Some(bits << 5 | digit as u128)
        });
        bits.map(|bits| Self(bits.to_be_bytes())).ok_or(ParseError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        let id = JobId::new(Millis(1_795_000_000_123), [7; 10]);
        assert_eq!(id.to_string().len(), TEXT_LEN);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn orders_by_time_in_text_and_in_bytes() {
        let (early, late) = (JobId::new(Millis(1), [255; 10]), JobId::new(Millis(2), [0; 10]));
        assert!(early < late && early.to_string() < late.to_string() && early.to_bytes() < late.to_bytes());
    }

    #[test]
    fn the_first_of_a_time_is_before_all_others_of_it_and_after_those_before() {
        let first = JobId::first_at(Millis(7));
        assert!(first <= JobId::new(Millis(7), [0; 10]) && first > JobId::new(Millis(6), [255; 10]));
        assert!(JobId::first_at(Millis(u64::MAX)) > JobId::new(Millis(9), [255; 10]));
        assert!(first.next() > first && JobId::MAX.next() == JobId::MAX);
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in [
            "",
            "8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "0123456789abcdefghjkmnpqru",
            "0123456789ABCDEFGHJKMNPQRS",
        ] {
            assert_eq!(text.parse::<JobId>(), Err(ParseError), "{text}");
        }
    }

    #[test]
    fn shows_receivers_another_name() {
        let id = JobId::new(Millis(5), [1; 10]);
        assert_eq!(id.webhook_id().len(), "msg_".len() + 32);
        assert!(!id.webhook_id().contains(&id.to_string()));
        assert_eq!(id.webhook_id(), id.webhook_id());
        assert_eq!(id.webhook_id().parse(), Ok(id.webhook()));
        let upper = id.webhook_id().to_uppercase();
        for text in [
            "",
            "msg_",
            &upper,
            &id.webhook_id()[1..],
            "msg_+0000000000000000000000000000000",
        ] {
            assert_eq!(text.parse::<WebhookId>(), Err(NoWebhookId), "{text}");
        }
    }
}
