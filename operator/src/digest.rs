//! Short names for long texts. Called by `names` and `route::build`.
//!
//! Invariant: equal texts have equal names in every version of the operator; they are parts of object names and labels.

use sha2::{Digest, Sha256};

/// The first hexadecimal digits of a text's SHA-256.
pub(crate) fn short(text: &str, digits: usize) -> String {
    let mut hex = Sha256::digest(text)
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_text_never_changes() {
        assert_eq!(short("abc", 6), "ba7816");
    }
}
