//! The id of a JSON-RPC request, and the progress token, which has the same format.
//!
//! Parsed by `message`; kept by the code that waits for the response.
//!
//! Invariant: an id is serialized with the bytes it was received with, and 5 is not "5".

use std::fmt;
use std::hash::{Hash, Hasher};

use serde_json::value::RawValue;

/// Maximum length of an id as serialized, in bytes. A job stores the id, so it must be bounded.
pub const MAX_LEN: usize = 1024;

/// A string or an integer (2025-11-25, Basic: "MUST include a string or integer ID").
#[derive(Clone)]
pub struct Id {
    raw: Box<RawValue>,
    /// The unescaped string of an id with escapes; without escapes the raw text is unique.
    unescaped: Option<String>,
}

/// Why a value is not an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The value is null, a fraction, an object, ...
    #[error("must be a string or an integer")]
    Shape,
    /// The value has more than [`MAX_LEN`] bytes.
    #[error("is longer than {MAX_LEN} bytes")]
    TooLong,
}

impl Id {
    /// Parses an id from its JSON text.
    pub fn parse(value: &RawValue) -> Result<Self, Error> {
        let text = value.get();
        if text.len() > MAX_LEN {
            return Err(Error::TooLong);
        }
        let unescaped = match text.as_bytes() {
            [b'"', ..] if text.contains('\\') => Some(serde_json::from_str(text).map_err(|_| Error::Shape)?),
            [b'"', ..] => None,
            _ if is_integer(text) => None,
            _ => return Err(Error::Shape),
        };
        Ok(Self {
            raw: value.to_owned(),
            unescaped,
        })
    }

    /// Creates an id from a string of at most [`MAX_LEN`] bytes.
    pub fn text(text: &str) -> Self {
        Self {
            raw: crate::raw::raw(text),
            unescaped: Some(text.to_owned()),
        }
    }

    /// Creates an id from a number.
    pub fn number(number: u64) -> Self {
        Self {
            raw: crate::raw::raw(&number),
            unescaped: None,
        }
    }

    /// The id as JSON, exactly as received.
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }

    /// The string, if the id is one.
    pub fn as_text(&self) -> Option<&str> {
        let quoted = || self.raw.get().strip_prefix('"')?.strip_suffix('"');
        self.unescaped.as_deref().or_else(quoted)
    }
}

/// Digits with an optional minus sign. Valid JSON has no leading zeros and is not empty.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

// A peer may use other escapes for the same string in its response.
impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_text(), other.as_text()) {
            (None, None) => self.raw.get() == other.raw.get(),
            (one, another) => one == another,
        }
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.as_text() {
            Some(text) => (true, text).hash(state),
            None => (false, self.raw.get()).hash(state),
        }
    }
}

/// The JSON text.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw.get())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> Result<Id, Error> {
        Id::parse(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn keeps_the_bytes_it_was_received_with() {
        for json in [
            "5",
            "-7",
            r#""5""#,
            r#""\u0061\/""#,
            "123456789012345678901234567890",
        ] {
            assert_eq!(id(json).unwrap().to_string(), json);
        }
    }

    #[test]
    fn five_differs_from_its_string_but_an_escape_equals_its_letter() {
        assert_ne!(id("5"), id(r#""5""#));
        assert_eq!(id(r#""\u0061""#), id(r#""a""#));
        assert_eq!(Id::text("a\n"), id(r#""a\n""#).unwrap());
        assert_eq!(Id::number(5), id("5").unwrap());
    }

    #[test]
    fn refuses_what_the_specification_refuses() {
        for json in ["null", "1.0", "1e3", "true", "{}", "[]", r#""\ud800""#] {
            assert_eq!(id(json), Err(Error::Shape), "{json}");
        }
        assert_eq!(id(&format!("\"{}\"", "a".repeat(MAX_LEN))), Err(Error::TooLong));
    }
}
