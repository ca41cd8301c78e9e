//! Who a caller is by its credentials.
//!
//! [`crate::auth`] makes one of what it verified; sessions, jobs and logs carry it. Invariant: it is a hash, so it names
//! nobody to whoever reads it, and no two kinds of credentials give the same one.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A principal: the same for as long as the credentials belong to the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(pub [u8; 16]);

impl Principal {
    /// The principal that this kind of credentials gives these names.
    pub fn of(kind: &str, names: &[&str]) -> Self {
        // Each behind its length, so that no two lists give the same bytes.
        let parts = std::iter::once(&kind).chain(names);
        let hasher = parts.fold(Sha256::new(), |hasher, part| {
            let length = (part.len() as u64).to_be_bytes();
            hasher.chain_update(length).chain_update(part)
        });
        let hash: [u8; 32] = hasher.finalize().into();
        Self(*hash.first_chunk().expect("a hash is longer"))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_in_other_places_are_somebody_else() {
        let one = Principal::of("jwt", &["https://issuer", "sub", "client"]);
        assert_eq!(one, Principal::of("jwt", &["https://issuer", "sub", "client"]));
        for (kind, names) in [
            ("token", ["https://issuer", "sub", "client"]),
            ("jwt", ["https://issuers", "ub", "client"]),
            ("jwt", ["https://issuer", "client", "sub"]),
        ] {
            assert_ne!(one, Principal::of(kind, &names), "{kind} {names:?}");
        }
        assert_eq!(one.to_string().len(), 32);
    }
}
