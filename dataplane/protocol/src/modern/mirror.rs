//! Headers that repeat a value of the body (SEP-2243), and their encoding.
//!
//! Used by `modern`. A value that would not survive as a header is sent as `=?base64?...?=`, the Base64 of its UTF-8.
//!
//! Invariant: a header that cannot be read, or that is sent twice, matches nothing.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const PREFIX: &[u8] = b"=?base64?";
const SUFFIX: &[u8] = b"?=";

/// A header as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// It was not sent.
    Absent,
    /// Its value.
    Once(&'a [u8]),
    /// It was sent more than once: two readers could see different values.
    Repeated,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is missing.
    Missing,
    /// It was sent more than once.
    Repeated,
    /// It has characters that are not printable ASCII, or Base64 of something other than UTF-8.
    Unreadable,
    /// It contradicts this part of the body.
    Differs(&'static str),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing; every request must repeat that part of its body"),
            Self::Repeated => f.write_str("was sent more than once"),
            Self::Unreadable => f.write_str(
                "cannot be read; send printable ASCII, anything else as =?base64?...?= of its UTF-8",
            ),
            Self::Differs(part) => write!(f, "differs from {part}"),
        }
    }
}

/// The value of a header; `None` if it was not sent.
pub fn read(field: Field<'_>) -> Result<Option<String>, Flaw> {
    match field {
        Field::Absent => Ok(None),
        Field::Repeated => Err(Flaw::Repeated),
        Field::Once(value) => decode(value).map(Some).ok_or(Flaw::Unreadable),
    }
}

/// Checks that a header repeats `value`, which is named `part` in the error.
pub fn check(field: Field<'_>, value: Option<&str>, part: &'static str) -> Result<(), Flaw> {
    match read(field)? {
        None => Err(Flaw::Missing),
        Some(header) if Some(header.as_str()) == value => Ok(()),
        Some(_) => Err(Flaw::Differs(part)),
    }
}

/// The value that a header stands for. One without the exact wrapper stands for itself.
pub fn decode(header: &[u8]) -> Option<String> {
    let wrapped = header
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    match wrapped {
        Some(payload) => String::from_utf8(BASE64_STANDARD.decode(payload).ok()?).ok(),
        None if header.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) => {
            String::from_utf8(header.to_vec()).ok()
        }
        None => None,
    }
}

/// The header that stands for `value`.
pub fn encode(value: &str) -> String {
    let bytes = value.as_bytes();
    let is_plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ')
        && !(bytes.starts_with(PREFIX) && bytes.ends_with(SUFFIX));
    if is_plain {
        return value.to_owned();
    }
    format!("=?base64?{}?=", BASE64_STANDARD.encode(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_wrapped_exactly_stands_for_itself() {
        for (header, value) in [
            ("slow", Some("slow")),
            ("", Some("")),
            ("=?base64?c2xvdw==?=", Some("slow")),
            ("=?base64?5aSp5rCX?=", Some("天気")),
            ("=?base64??=", Some("")),
            ("=?BASE64?c2xvdw==?=", Some("=?BASE64?c2xvdw==?=")),
            ("=?base64?c2xvdw==", Some("=?base64?c2xvdw==")),
            ("x=?base64?c2xvdw==?=", Some("x=?base64?c2xvdw==?=")),
            ("=?base64?c2xvdw?=", None),
            ("=?base64?c2xvdx==?=", None),
            ("=?base64?c2x vdw==?=", None),
            ("=?base64?/w==?=", None),
            ("天気", None),
            ("a\0", None),
        ] {
            assert_eq!(decode(header.as_bytes()).as_deref(), value, "{header}");
        }
    }

    #[test]
    fn a_header_matches_only_once_and_exactly() {
        let check = |field| check(field, Some("slow"), "it");
        assert_eq!(check(Field::Once(b"slow")), Ok(()));
        assert_eq!(check(Field::Once(b"=?base64?c2xvdw==?=")), Ok(()));
        assert_eq!(check(Field::Absent), Err(Flaw::Missing));
        assert_eq!(check(Field::Repeated), Err(Flaw::Repeated));
        assert_eq!(check(Field::Once(b"Slow")), Err(Flaw::Differs("it")));
        assert_eq!(check(Field::Once(b"\xff")), Err(Flaw::Unreadable));
    }

    proptest! {
        #[test]
        fn every_text_survives_as_a_header(value in any::<String>()) {
            let header = encode(&value);
            prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(header.trim(), header.as_str());
            prop_assert_eq!(decode(header.as_bytes()), Some(value));
        }

        #[test]
        fn a_header_of_one_text_never_matches_another(one in ".{0,4}", other in ".{0,4}") {
            let header = encode(&one);
            let matches = check(Field::Once(header.as_bytes()), Some(&other), "it").is_ok();
            prop_assert_eq!(matches, one == other);
        }

        #[test]
        fn no_bytes_are_too_odd_to_judge(header in proptest::collection::vec(any::<u8>(), 0..40)) {
            let wrapped = [PREFIX, header.as_slice(), SUFFIX].concat();
            for header in [header, wrapped] {
                if let Some(value) = decode(&header) {
                    prop_assert_eq!(decode(encode(&value).as_bytes()), Some(value));
                }
            }
        }
    }
}
