//! The values of `Mcp-Name` and `Mcp-Param-*` headers, which may be any text (SEP-2243).
//!
//! Called where a modern request's headers are compared with its body, and where they are made from it.
//!
//! Invariant: `decode(encode(text))` is `text`, and what cannot be decoded equals no text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "=?base64?";
const END: &str = "?=";

/// The text of a header's value; `None` where it is not valid base64 of UTF-8.
pub fn decode(value: &str) -> Option<String> {
    match encoded(value) {
        None => Some(value.to_owned()),
        Some(base64) => String::from_utf8(STANDARD.decode(base64).ok()?).ok(),
    }
}

/// The value that stands for `text`: the text itself where every proxy passes it on unchanged.
pub fn encode(text: &str) -> String {
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    if plain && text.trim() == text && encoded(text).is_none() {
        return text.to_owned();
    }
    format!("{BEGIN}{}{END}", STANDARD.encode(text))
}

fn encoded(value: &str) -> Option<&str> {
    value.strip_prefix(BEGIN)?.strip_suffix(END)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_stands_for_itself_and_anything_else_is_encoded() {
        assert_eq!(encode("quick_search"), "quick_search");
        for text in ["é", " a", "a ", "a\tb", "a\r\nb", "=?base64?eA==?="] {
            let value = encode(text);
            assert!(value.starts_with(BEGIN), "{value}");
            assert_eq!(decode(&value).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_no_text() {
        for value in [
            "=?base64?e?=",
            "=?base64?/w==?=",
            "=?base64?eB==?=",
            "=?base64? ?=",
        ] {
            assert_eq!(decode(value), None, "{value}");
        }
        for value in ["=?base64?", "=?utf-8?eA==?=", "?="] {
            assert_eq!(decode(value).as_deref(), Some(value));
        }
    }

    proptest! {
        #[test]
        fn every_text_survives_as_a_header(text in any::<String>()) {
            let value = encode(&text);
            prop_assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
            prop_assert_eq!(decode(&value), Some(text));
        }

        #[test]
        fn no_value_is_too_odd_to_be_read(value in any::<String>()) {
            let _ = decode(&value);
        }
    }
}
