//! Who may come in: what the credentials of a request are worth.
//!
//! The edge asks [`Auth::admit`] on every request but a browser's preflight, before a byte of MCP is read and before its
//! era is known. Here live tokens, what verifies them, and how clients learn where to get one; what a principal may see or
//! call is decided in [`crate::calls`]. Invariant: a route with `auth` lets nobody in whose credentials were not verified,
//! whatever cannot be read; and a client's token goes nowhere from here.

mod bearer;
mod crypto;
mod fetch;
mod issuer;
mod issuers;
mod jwt;
mod keys;
pub(crate) mod metadata;
mod metrics;
#[cfg(test)]
mod tests;

use asyncmcp_crds::{IssuerReport, effective};
use asyncmcp_delivery::clock::Millis;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};

use self::fetch::Fetcher;
use self::issuers::Issuers;
pub use self::metrics::Metrics;
use crate::caller::access::Access;
use crate::caller::respond::access::{Error, Refusal};
use crate::config::{Config, Live};
use crate::ports;

/// What verifies credentials. One for the process.
#[derive(Debug)]
pub struct Auth {
    issuers: Issuers,
    metrics: Metrics,
}

impl Auth {
    /// Follows the route. Must be called within a runtime.
    ///
    /// # Errors
    /// There can be no HTTP client.
    pub fn start(live: Live, metrics: Metrics) -> reqwest::Result<Self> {
        crypto::install();
        let issuers = Issuers::new(Fetcher::build()?, metrics.clone());
        tokio::spawn(follow(live, issuers.clone()));
        Ok(Self { issuers, metrics })
    }

    /// What a request for `uri` with these headers may do at this time.
    pub async fn admit(
        &self,
        config: &Config,
        (uri, headers): (&Uri, &HeaderMap),
        now: Millis,
    ) -> Result<Access, Refusal> {
        let Some(auth) = &config.route.auth else {
            return Ok(Access::anonymous());
        };
        let url = metadata::url(&config.route, uri, headers);
        let url = url.as_deref().filter(|_| !auth.jwt.is_empty());
        match self.verify(config, auth, headers, now).await {
            Ok(access) => Ok(Access {
                grants: access.grants.described_at(url),
                ..access
            }),
            Err(error) => {
                self.metrics.refused(&error);
                tracing::debug!(
                    reason = error.reason(),
                    "a request is refused for its credentials"
                );
                Err(Refusal::new(error, url, wanted(auth)))
            }
        }
    }

    /// The issuers of which no key could be read, for `/status`.
    pub fn issuers_without_keys(&self) -> Vec<IssuerReport> {
        self.issuers.without_keys()
    }

    async fn verify(
        &self,
        config: &Config,
        auth: &effective::Auth,
        headers: &HeaderMap,
        now: Millis,
    ) -> Result<Access, Error> {
        let token = token(headers)?;
        match bearer::principal(auth, &config.refs, token) {
            Some(principal) => Ok(Access::of(principal)),
            None if auth.jwt.is_empty() => Err(Error::Unknown),
            None => jwt::verify(token, (&auth.jwt, &self.issuers), now).await,
        }
    }
}

/// The request's token. Two of them would leave it open whose request it is.
fn token(headers: &HeaderMap) -> Result<&[u8], Error> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (Some(header), None) => ports::bearer::token(header).ok_or(Error::Missing),
        _ => Err(Error::Missing),
    }
}

/// The scopes that every token needs; issuers that differ in them leave it to the metadata.
fn wanted(auth: &effective::Auth) -> &[String] {
    match auth.jwt.split_first() {
        Some((first, others)) if others.iter().all(|other| other.scopes == first.scopes) => &first.scopes,
        _ => &[],
    }
}

/// Reads the keys of the issuers that the route names, and reports tokens that let nobody in.
async fn follow(mut live: Live, issuers: Issuers) {
    let mut before = Vec::new();
    loop {
        let config = live.borrow_and_update().clone();
        issuers.follow(config.route.auth.as_ref().map_or(&[], |auth| &auth.jwt));
        let found = bearer::unusable(&config);
        for line in found.iter().filter(|line| !before.contains(*line)) {
            tracing::error!("{line}");
        }
        before = found;
        if live.changed().await.is_err() {
            return;
        }
    }
}
