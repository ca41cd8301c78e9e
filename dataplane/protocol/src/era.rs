//! The era of a request: `legacy` protocol versions have sessions, `modern` ones do not.
//!
//! The endpoint determines it once per POST, before it reads anything else from the message.
//!
//! Invariant: only the version header and the body decide. Whether a legacy request is `initialize` and whether it has
//! a session id is checked afterwards.

use crate::message::Message;
use crate::version::Version;

pub use crate::version::Era;

/// The `_meta` key that contains the version of a modern request (2026-07-28, Basic).
pub const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The era of `message`, which was sent with the `MCP-Protocol-Version` header `header`.
pub fn era_of(header: Option<&str>, message: &Message) -> Era {
    if header.is_some_and(is_modern_date) || names_version(message) {
        Era::Modern
    } else {
        Era::Legacy
    }
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

/// Whether `_meta` has a version. One that is not a string counts as well, and is refused later.
fn names_version(message: &Message) -> bool {
    let meta = message
        .params()
        .and_then(|params| params.object("_meta").ok().flatten());
    meta.is_some_and(|meta| meta.get(META_PROTOCOL_VERSION).is_some())
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
    fn any_version_in_meta_decides() {
        let modern = message(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#);
        assert_eq!(era_of(Some("2025-11-25"), &modern), Era::Modern);
        let odd = message(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}"#);
        assert_eq!(era_of(None, &odd), Era::Modern);
    }
}
