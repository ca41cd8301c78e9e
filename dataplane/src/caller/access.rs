//! What a request's credentials say, whatever its era.
//!
//! [`crate::auth`] makes one for each request before anything of it is read; the edge of an era makes a
//! [`super::Caller`] with it. Invariant: only what was verified is in it, and never the credentials themselves.

use super::principal::Principal;

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `None` on a route without `auth`.
    pub principal: Option<Principal>,
    /// Whom limits are counted for; `None` without credentials.
    pub account: Option<String>,
}

impl Access {
    /// Of anybody, on a route without `auth`.
    pub fn anonymous() -> Self {
        Self {
            principal: None,
            account: None,
        }
    }

    /// Of a principal that is an account of its own.
    pub fn of(principal: Principal) -> Self {
        Self {
            principal: Some(principal),
            account: Some(principal.to_string()),
        }
    }
}
