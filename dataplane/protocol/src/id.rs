//! The id of a JSON-RPC request, and the progress token, which has the same shape.
//!
//! Read by `message`; kept by whoever waits for the answer.
//!
//! Invariant: an id is written back with the bytes it came in, and 5 is not "5".

use std::fmt;
use std::hash::{Hash, Hasher};

use serde_json::value::RawValue;

/// The longest id in bytes, as written; a job keeps its id, so it cannot be without bounds.
pub const MAX_LEN: usize = 1024;

/// A string or an integer (2025-11-25, Basic: "MUST include a string or integer ID").
#[derive(Clone)]
pub struct Id {
    raw: Box<RawValue>,
    /// The string behind an id with escapes; without them the raw text is already unique.
    unescaped: Option<String>,
}

/// Why a value is no id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// null, a fraction, an object, ...
    #[error("must be a string or an integer")]
    Shape,
    /// More than [`MAX_LEN`] bytes.
    #[error("is longer than {MAX_LEN} bytes")]
    TooLong,
}

impl Id {
    /// Reads an id from its JSON text.
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

    /// An id that is the string `text`, at most [`MAX_LEN`] bytes.
    pub fn text(text: &str) -> Self {
        Self {
            raw: crate::raw::raw(text),
            unescaped: Some(text.to_owned()),
        }
    }

    /// An id that is the number `number`.
    pub fn number(number: u64) -> Self {
        Self {
            raw: crate::raw::raw(&number),
            unescaped: None,
        }
    }

    /// The id as JSON, as it was written.
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }

    /// The string, where the id is one.
    pub fn as_text(&self) -> Option<&str> {
        let quoted = || self.raw.get().strip_prefix('"')?.strip_suffix('"');
        self.unescaped.as_deref().or_else(quoted)
    }
}

/// Digits with an optional minus. JSON itself rules out leading zeros and the empty text.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

// A peer may write the same string with other escapes when it answers.
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
    fn keeps_the_bytes_it_came_in() {
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
    fn tells_five_from_its_string_but_not_an_escape_from_its_letter() {
        assert_ne!(id("5"), id(r#""5""#));
        assert_eq!(id(r#""\u0061""#), id(r#""a""#));
        assert_eq!(Id::text("a\n"), id(r#""a\n""#).unwrap());
        assert_eq!(Id::number(5), id("5").unwrap());
    }

    #[test]
    fn refuses_what_the_specification_does() {
        for json in ["null", "1.0", "1e3", "true", "{}", "[]", r#""\ud800""#] {
            assert_eq!(id(json), Err(Error::Shape), "{json}");
        }
        assert_eq!(id(&format!("\"{}\"", "a".repeat(MAX_LEN))), Err(Error::TooLong));
    }
}
