//! Who may come in: what the credentials of a request are worth.
//!
//! The edge asks [`Auth::admit`] on every request but a browser's preflight, before a byte of MCP is read and before its
//! era is known. Here live tokens and what verifies them; what a principal may see or call is decided in
//! [`crate::calls`]. Invariant: a route with `auth` lets nobody in whose credentials were not verified, whatever cannot be
//! read; and a client's token goes nowhere from here.

mod bearer;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::caller::access::Access;
use crate::caller::respond::access::{Error, Refusal};
use crate::config::{Config, Live};
use crate::ports;

/// What verifies credentials. One for the process.
#[derive(Debug)]
pub struct Auth(());

impl Auth {
    /// Follows the route. Must be called within a runtime.
    pub fn start(live: Live) -> Self {
        tokio::spawn(report(live));
        Self(())
    }

    /// What a request with these headers may do.
    pub fn admit(&self, config: &Config, headers: &HeaderMap) -> Result<Access, Refusal> {
        let Some(auth) = &config.route.auth else {
            return Ok(Access::anonymous());
        };
        let token = token(headers).map_err(Refusal::new)?;
        let principal = bearer::principal(auth, &config.refs, token);
        principal
            .map(Access::of)
            .ok_or_else(|| Refusal::new(Error::Unknown))
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

/// Names the keys that let nobody in, whenever that changes.
async fn report(mut live: Live) {
    let mut before = Vec::new();
    loop {
        let config = live.borrow_and_update().clone();
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
