//! What a request's credentials say, whatever its era.
//!
//! [`crate::auth`] makes one for each request before anything of it is read; the edge of an era makes a
//! [`super::Caller`] with it. Invariant: only what was verified is in it, and never the credentials themselves.

use super::grants::Grants;
use super::principal::Principal;

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `None` on a route without `auth`.
    pub principal: Option<Principal>,
    /// Whom limits are counted for: the issuer and the subject, else the peer's address. `None` where there is neither.
    pub account: Option<String>,
    /// What it may call.
    pub grants: Grants,
}

impl Access {
    /// The same, counted for `account` where the credentials name none.
    #[must_use]
    pub fn or_account(self, account: Option<String>) -> Self {
        Self {
            account: self.account.or(account),
            ..self
        }
    }

    /// Of anybody, on a route without `auth`.
    pub fn anonymous() -> Self {
        Self {
            principal: None,
            account: None,
            grants: Grants::default(),
        }
    }

    /// Of a principal that is an account of its own.
    pub fn of(principal: Principal) -> Self {
        Self {
            principal: Some(principal),
            account: Some(principal.to_string()),
            grants: Grants::default(),
        }
    }
}
