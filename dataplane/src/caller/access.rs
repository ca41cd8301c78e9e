//! What a request's credentials say, whatever its era.
//!
//! [`crate::auth`] makes one for each request before anything of it is read; the edge of an era makes a
//! [`super::Caller`] with it. Invariant: only what was verified is in it, and never the credentials themselves.

use tokio::time::Instant;

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
    /// When its token expires, and what was opened with it ends.
    pub expires: Option<Instant>,
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
            expires: None,
        }
    }

    /// Of a principal that is an account of its own.
    pub fn of(principal: Principal) -> Self {
        Self {
            principal: Some(principal),
            account: Some(principal.to_string()),
            grants: Grants::default(),
            expires: None,
        }
    }
}

/// Returns when a token expires; never where it does not.
pub async fn expired(expires: Option<Instant>) {
    match expires {
        Some(expires) => tokio::time::sleep_until(expires).await,
        None => std::future::pending().await,
    }
}
