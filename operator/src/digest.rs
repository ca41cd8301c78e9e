//! Short hashes of long texts. Called by `names` and `route::build`.
//!
//! Invariant: a text has the same hash in every version of the operator, since object names and labels contain it.

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
    fn the_hash_of_a_text_never_changes() {
        assert_eq!(short("abc", 6), "ba7816");
    }
}
