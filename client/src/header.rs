//! A header that the application adds to every request, such as credentials for a proxy in front of the endpoint.
//!
//! Parsed by the application, set in [`crate::Config`], sent by `transport`. Invariant: the value is in no error and in no
//! `Debug`; the reasons are fixed texts for that.

use std::fmt;

use http::header::{HeaderName, HeaderValue};

/// What the transport itself sets, by the rules of HTTP and MCP.
const RESERVED: [&str; 7] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
];

/// A header; its value is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl Header {
    /// Parses `Name: value`. The error says what is wrong, without the text.
    pub fn parse(line: &str) -> Result<Self, &'static str> {
        let (name, value) = line
            .split_once(':')
            .ok_or("expected `Name: value`, for example `X-Team: search`")?;
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| "what is before the colon is not the name of a header")?;
        if RESERVED.contains(&name.as_str()) {
            return Err("the client sets this header itself: leave it out");
        }
        let mut value: HeaderValue = value
            .trim()
            .parse()
            .map_err(|_| "the value must be one line of visible characters")?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}: ..)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value_that_is_never_shown() {
        let header = Header::parse("Authorization:  Basic c2VjcmV0OnBhc3M= ").unwrap();
        assert_eq!(header.name, "authorization");
        assert_eq!(header.value, "Basic c2VjcmV0OnBhc3M=");
        assert_eq!(
            format!("{header:?} {:?}", header.value),
            "Header(authorization: ..) Sensitive"
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for (line, said) in [
            ("hunter2", "`Name: value`"),
            ("Bearer hunter2: x", "before the colon"),
            (": hunter2", "before the colon"),
            ("X-A: hunter2\u{7}", "visible"),
            ("X-A: hunter2\r\nX-B: x", "visible"),
            ("Mcp-Session-Id: hunter2", "sets this header itself"),
        ] {
            let why = Header::parse(line).unwrap_err();
            assert!(why.contains(said) && !why.contains("hunter2"), "{line}: {why}");
        }
    }
}
