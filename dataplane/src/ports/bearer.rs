//! The token that a request carries (`Authorization: Bearer`), and how tokens are compared.
//!
//! [`crate::auth`] asks for it on the MCP port, the jobs API on the admin port. Invariant: the time that a comparison takes
//! reveals nothing about either token.

use http::HeaderValue;
use sha2::{Digest as _, Sha256};

/// The token of an `Authorization: Bearer` (RFC 6750, section 2.1; the scheme's name in any case, RFC 9110).
pub fn token(header: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = header.as_bytes().split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Compares digests, all of their bytes.
pub fn are_equal(one: &[u8], two: &[u8]) -> bool {
    let (one, two) = (Sha256::digest(one), Sha256::digest(two));
    one.iter().zip(&two).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
