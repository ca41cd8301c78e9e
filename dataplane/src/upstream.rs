//! The route's servers, as MCP Streamable HTTP endpoints (MCP 2025-03-26 to 2025-11-25,
//! "Transports"). JSON goes in and comes out as the bytes it is.
//!
//! `sessions`, `catalogue` and `execute` hold an [`Upstreams`] and open
//! [`ServerSession`]s; the edge sends clients' messages through them. Invariant: an
//! [`Error`] says whether the server may have seen the message.

mod client;
mod error;
mod events;
mod exchange;
mod follow;
mod headers;
mod identity;
mod open;
mod operation;
mod session;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use self::error::Error;
pub use self::events::{Events, Incoming, Noted};
pub use self::exchange::{Manner, Reply};
pub use self::follow::Upstreams;
pub use self::headers::TraceHeaders;
pub use self::identity::Identity;
pub use self::operation::Metrics;
pub use self::session::{Answer, Outgoing, ServerSession};

/// What it takes to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in the route.
    pub name: String,
    /// Its MCP endpoint.
    pub url: Url,
    /// The silence allowed on an ordinary call to it.
    pub timeout: Duration,
    /// The largest JSON body, and the largest event of a stream, that is read from it, in bytes.
    pub max_response: usize,
}

/// One server of the route. Cheap to clone; ends its connections with the last clone.
#[derive(Clone)]
pub struct Upstream(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    http: reqwest::Client,
    metrics: Metrics,
}

impl Upstream {
    /// A server at `endpoint`. Opens no connection yet.
    pub fn new(endpoint: Endpoint, metrics: Metrics) -> Result<Self, Error> {
        let http = client::build()?;
        Ok(Self(Arc::new(Inner {
            endpoint,
            http,
            metrics,
        })))
    }

    /// Its name in the route.
    pub fn name(&self) -> &str {
        &self.0.endpoint.name
    }

    /// The silence allowed on an ordinary call to it.
    pub fn timeout(&self) -> Duration {
        self.0.endpoint.timeout
    }

    /// The largest JSON body, and the largest event of a stream, that is read from it, in bytes.
    pub fn max_response(&self) -> usize {
        self.0.endpoint.max_response
    }

    /// Whether `other` is this very server, not one that took its name in a newer route.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({})", self.name())
    }
}
