//! What the credentials of a caller let it call: the scopes of its access token.
//!
//! [`crate::auth`] reads them, the catalogue lists by them and calls are refused by them. Invariant: credentials without
//! scopes have none, so that what needs a scope is not for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::respond::access::{Error, Refusal};

/// Scopes. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    scopes: Arc<BTreeSet<String>>,
    /// Where the caller learns how to get a token with others.
    metadata: Option<Arc<str>>,
}

impl Grants {
    /// These scopes.
    pub fn of(scopes: BTreeSet<String>) -> Self {
        Self {
            scopes: Arc::new(scopes),
            metadata: None,
        }
    }

    /// The same of a caller that finds its authorization server by the metadata at `url`.
    #[must_use]
    pub fn described_at(self, url: Option<&str>) -> Self {
        let metadata = url.map(Arc::from);
        Self { metadata, ..self }
    }

    /// Whether all of these scopes are among them.
    pub fn cover<'a>(&self, mut needed: impl Iterator<Item = &'a String>) -> bool {
        needed.all(|scope| self.scopes.contains(scope))
    }

    /// Refuses what needs these scopes. The challenge names them with those that the caller has and that are of use here
    /// (`known`): a client that asks for what it names loses nothing.
    pub fn refusal<'a>(&self, needed: &'a [String], known: impl Iterator<Item = &'a String>) -> Refusal {
        let kept = known.filter(|scope| self.scopes.contains(*scope));
        let all: BTreeSet<_> = kept.chain(needed).cloned().collect();
        let all = all.into_iter().collect();
        Refusal::new(Error::Scope(all), self.metadata.as_deref(), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_what_is_needed_and_what_the_client_would_lose() {
        let scopes = ["read", "openid"].map(str::to_owned).into();
        let grants = Grants::of(scopes).described_at(Some("https://m"));
        let (needed, known) = (
            ["write".to_owned()],
            ["read", "write", "admin"].map(str::to_owned),
        );
        assert!(grants.cover(["read".to_owned()].iter()) && !grants.cover(needed.iter()));
        let refusal = grants.refusal(&needed, known.iter());
        let challenge = refusal.challenge.to_str().unwrap();
        assert!(
            challenge.contains("scope=\"read write\", error=\"insufficient_scope\""),
            "{challenge}"
        );
        assert!(
            challenge.contains("resource_metadata=\"https://m\""),
            "{challenge}"
        );
    }
}
