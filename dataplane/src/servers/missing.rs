//! What is missing of what the route gives for a server.
//!
//! [`super::access`] finds it, [`super::Error`] carries it to status and to the log. Invariant: it names fields and keys,
//! never a value.

use crate::config::keys::Unusable;

/// A field of the server whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {unusable}; without it nothing is sent to the server")]
pub struct Missing {
    /// The field, without the server's.
    pub field: String,
    /// The key that it refers to, and why that cannot be used.
    pub unusable: Unusable,
}
