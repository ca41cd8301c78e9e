//! Finding an id in JSON without reading it: both peers and the gateway write it near the beginning.
//!
//! The tool server answers by it, receivers find the call of a delivery by it. Invariant: only ever asked of
//! messages that the bench's own calls led to, whose ids are numbers or strings without escapes.

/// The raw text of the first `"id"` member.
pub(crate) fn id(body: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(&body[..body.len().min(200)]).ok()?;
    let (_, rest) = head.split_once("\"id\":")?;
    let rest = rest.trim_start();
    let end = match rest.strip_prefix('"') {
        Some(text) => text.find('"')? + 2,
        None => rest.find([',', '}'])?,
    };
    rest.get(..end).map(str::trim_end)
}

/// Whether the message's method is this one.
pub(crate) fn has_method(body: &[u8], method: &str) -> bool {
    let head = std::str::from_utf8(&body[..body.len().min(200)]).unwrap_or_default();
    let value = head.split_once("\"method\":").map(|(_, rest)| rest.trim_start());
    value.is_some_and(|value| value.get(1..=method.len()) == Some(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_as_they_are_written() {
        assert_eq!(id(br#"{"jsonrpc":"2.0","id":17,"method":"x"}"#), Some("17"));
        assert_eq!(
            id(br#"{"id": "asyncmcp:3" ,"jsonrpc":"2.0"}"#),
            Some("\"asyncmcp:3\"")
        );
        assert_eq!(id(b"{}"), None);
    }

    #[test]
    fn a_method_is_told_from_one_that_begins_like_it() {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert!(has_method(body, "tools/list"));
        assert!(!has_method(body, "tools/call"));
    }
}
