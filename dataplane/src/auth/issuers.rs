//! The issuers of the route, each with its keys, over changes of the route.
//!
//! [`super::Auth`] follows the route with it. Invariant: an issuer whose settings did not change keeps its keys, and one
//! that the route does not name any more is not asked any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asyncmcp_crds::IssuerReport;
use asyncmcp_crds::effective::Jwt;

use super::fetch::{Fetcher, Source};
use super::issuer::Issuer;
use super::metrics::Metrics;

/// All of them. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Issuers {
    fetcher: Fetcher,
    metrics: Metrics,
    known: Arc<Mutex<HashMap<Source, Arc<Issuer>>>>,
}

impl Issuers {
    pub(super) fn new(fetcher: Fetcher, metrics: Metrics) -> Self {
        Self {
            fetcher,
            metrics,
            known: Arc::default(),
        }
    }

    /// The issuer of these settings; a new one begins to read its keys. Must be called within a runtime.
    pub(super) fn of(&self, jwt: &Jwt) -> Arc<Issuer> {
        let source = source(jwt);
        let start = || Issuer::start(source.clone(), self.fetcher.clone(), self.metrics.clone());
        let mut known = self.known();
        Arc::clone(known.entry(source.clone()).or_insert_with(|| Arc::new(start())))
    }

    /// Begins with the issuers that the route names now, and ends the others.
    pub(super) fn follow(&self, named: &[Jwt]) {
        let sources: Vec<_> = named.iter().map(source).collect();
        self.known().retain(|source, _| sources.contains(source));
        for jwt in named {
            self.of(jwt);
        }
    }

    /// Those of which no key could be read, in the order of their names.
    pub(super) fn without_keys(&self) -> Vec<IssuerReport> {
        let known = self.known();
        let mut found: Vec<_> = known.values().filter_map(|issuer| issuer.problem()).collect();
        found.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        found
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Source, Arc<Issuer>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn source(jwt: &Jwt) -> Source {
    Source {
        issuer: jwt.issuer.clone(),
        jwks_uri: jwt.jwks_uri.clone(),
    }
}
