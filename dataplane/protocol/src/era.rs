//! The era of a request: `legacy` protocol versions have sessions, `modern` ones do not.
//!
//! The endpoint determines it once per POST, before it reads anything else from the message.
//!
//! Invariant: only the version header and the body decide. Whether a legacy request is `initialize` and whether it has
//! a session id is checked afterwards.

use crate::message::Message;
use crate::raw::RawObject;
use crate::version::Version;

pub use crate::version::Era;

/// The `_meta` key that contains the version of a modern request (2026-07-28, Basic).
pub const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The era of `message`, which was sent with the `MCP-Protocol-Version` header `header`.
pub fn era_of(header: Option<&str>, message: &Message) -> Era {
    if header.is_some_and(is_modern_date) || meta_version(message).is_some() {
        Era::Modern
    } else {
        Era::Legacy
    }
}

/// The version of a request, for the error that refuses it: from the body, otherwise from the header.
pub fn requested_version(header: Option<&str>, message: &Message) -> Option<String> {
    meta_version(message).or_else(|| header.map(str::to_owned))
}

/// Whether `header` is a date of the modern era, even of an unknown version. Dates are compared as text.
pub fn is_modern_date(header: &str) -> bool {
    let is_date = header.len() == 10
        && header.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_date && header >= Version::V2026_07_28.as_str()
}

/// The version in `_meta`, as text. A version that is not a string counts as well, and is refused later.
fn meta_version(message: &Message) -> Option<String> {
    let meta: RawObject = message.params()?.object("_meta").ok()??;
    let value = meta.get(META_PROTOCOL_VERSION)?;
    Some(
        meta.text(META_PROTOCOL_VERSION)
            .unwrap_or_else(|| value.get().to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(params: &str) -> Message {
        let json = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{params}}}"#);
        Message::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_modern_header_decides_even_for_an_unknown_version() {
        for header in ["2026-07-28", "2027-01-01"] {
            assert_eq!(era_of(Some(header), &message("{}")), Era::Modern, "{header}");
        }
        for header in [
            None,
            Some("2025-11-25"),
            Some("zzzz"),
            Some("2026-07-28x"),
            Some("9"),
        ] {
            assert_eq!(era_of(header, &message("{}")), Era::Legacy, "{header:?}");
        }
    }

    #[test]
    fn any_version_in_meta_decides_and_is_the_one_requested() {
        let modern = message(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#);
        assert_eq!(era_of(Some("2025-11-25"), &modern), Era::Modern);
        assert_eq!(
            requested_version(Some("2025-11-25"), &modern).as_deref(),
            Some("2026-07-28")
        );
        let odd = message(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}"#);
        assert_eq!(era_of(None, &odd), Era::Modern);
        assert_eq!(requested_version(None, &odd).as_deref(), Some("7"));
    }
}
