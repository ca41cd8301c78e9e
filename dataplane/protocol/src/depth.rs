//! Limits how deeply JSON may be nested.
//!
//! `message` checks this before it keeps a value raw. A raw value is skipped without recursion, so without this check,
//! deeply nested JSON would be passed on and could overflow the parser of the next reader.
//!
//! Invariant: one pass, without allocation or recursion.

/// Maximum nesting of arrays and objects; the same as `serde_json`'s limit.
pub(crate) const MAX_DEPTH: usize = 128;

/// Whether `json` is nested deeper than [`MAX_DEPTH`]. Does not check that it is valid JSON.
pub(crate) fn is_too_deep(json: &[u8]) -> bool {
    let mut depth = 0usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_outside_strings_only() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(nested(MAX_DEPTH).as_bytes()));
        assert!(is_too_deep(nested(MAX_DEPTH + 1).as_bytes()));
        let quoted = format!(r#"{{"a\"":"{}"}}"#, "[".repeat(1000));
        assert!(!is_too_deep(quoted.as_bytes()));
    }

    #[test]
    fn siblings_do_not_add_up() {
        assert!(!is_too_deep("[]".repeat(10_000).as_bytes()));
    }
}
