//! What the data plane serves: the route document, interpreted, and the Secrets and ConfigMaps it refers to.
//!
//! `main` loads the first [`Config`] or refuses to start; after that [`watch`] publishes a new
//! one for each accepted change. Everything live reads the [`Live`] channel. Invariant: a
//! document that is refused changes nothing but `refused`.

pub mod certificates;
pub mod keys;
pub mod notices;
mod refs;
pub(crate) mod retry;
mod source;
pub mod watch;

use std::sync::Arc;

use asyncmcp_crds::RefusedDocument;
use asyncmcp_crds::effective::Route;

pub use self::refs::{Refs, Secret};
pub use self::source::Source;

/// The newest configuration, and a notification of each new one.
pub type Live = tokio::sync::watch::Receiver<Arc<Config>>;

/// A route that is being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What the route means.
    pub route: Route,
    /// The document's hash, as `/status` reports it.
    pub hash: String,
    /// The keys of Secrets and ConfigMaps that it refers to, as they can be read now.
    pub refs: Refs,
    /// Fields that this version does not know. On a laptop they are an error instead.
    pub unknown_fields: Vec<String>,
    /// The newest document, where it is not the one served.
    pub refused: Option<RefusedDocument>,
}

impl Config {
    /// What sealed session ids are bound to: another route's ids are unknown here.
    pub fn identity(&self) -> String {
        self.route
            .uid
            .clone()
            .unwrap_or_else(|| format!("{}/{}", self.route.namespace, self.route.name))
    }
}

/// The document cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no route that could be understood.
    #[error("{path}: {source}")]
    Load {
        /// Which.
        path: String,
        /// What is wrong, with the line or the field.
        #[source]
        source: asyncmcp_crds::load::Error,
    },
    /// The route breaks a rule; every problem is listed.
    #[error("{path}: {problems}")]
    Invalid {
        /// Which.
        path: String,
        /// What is wrong, each with its field and the fix.
        problems: asyncmcp_crds::Problems,
    },
    /// `--server` or `--receiver` does not fit the route.
    #[error(transparent)]
    Flags(#[from] asyncmcp_crds::overrides::Error),
}

#[cfg(test)]
mod tests;
