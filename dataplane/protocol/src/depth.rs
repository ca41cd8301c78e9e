//! How deep a JSON text may nest.
//!
//! `message` asks before it keeps a value raw: a raw value is skipped without recursion, so
//! nothing else would stop a text that breaks the parser of whoever reads it next.
//!
//! Invariant: one pass, no memory, no recursion.

/// The deepest nesting of arrays and objects that is let through; `serde_json`'s own limit.
pub const MAX_DEPTH: usize = 128;

/// Whether `json` nests deeper than [`MAX_DEPTH`]. Says nothing about its validity.
pub fn is_too_deep(json: &[u8]) -> bool {
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
