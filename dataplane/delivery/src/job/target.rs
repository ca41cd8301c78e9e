//! Where a job's result goes, and who named it.
//!
//! Part of the snapshot. Invariant: nothing here has been checked; the egress rules do that at every attempt.

use super::Key;
use crate::egress::NamedBy;
use crate::signature::SigningKey;

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The receiver's URL as it was named.
    pub url: String,
    /// Who named it, which decides what it may be.
    pub named_by: NamedBy,
    /// The client's own key; it signs alone, in place of the route's.
    pub secret: Option<SigningKey>,
}

impl Target {
    /// The key of this receiver in limits and in the due index.
    pub fn key(&self) -> Key {
        Key::of(&self.url)
    }
}
