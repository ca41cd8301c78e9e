//! Everything that faces a server, as an MCP Streamable HTTP endpoint (MCP 2025-03-26 to 2026-07-28,
//! "Transports"). JSON goes in and comes out as the bytes it is.
//!
//! Calls, the job runner and the catalogue send through [`lines`]; who calls and what a message means is not known here.
//! Invariant: an [`Error`] says whether the server may have seen the message.

mod access;
mod advice;
pub mod catalogue;
mod cause;
mod eras;
mod error;
mod exchange;
mod follow;
mod frame;
mod http;
pub mod lines;
mod missing;
mod open;
mod operation;
mod session;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asyncmcp_protocol::Id;
use asyncmcp_protocol::listing::Entry;
use asyncmcp_protocol::tools::{HeaderParam, header_params};
use tokio::sync::watch;
use url::Url;

use self::access::Access;
pub use self::advice::Advice;
pub use self::error::Error;
pub use self::exchange::{Reply, RequestOptions};
pub use self::follow::Upstreams;
pub use self::missing::Missing;
pub use self::operation::Metrics;
pub use self::session::events::{Events, Incoming, Noted};
pub use self::session::{Outgoing, Received, ServerSession};

/// What it takes to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in the route.
    pub name: String,
    /// Its MCP endpoint.
    pub url: Url,
    /// The Host header that it gets.
    pub host: String,
    /// The silence allowed on an ordinary call to it.
    pub timeout: Duration,
    /// The largest JSON body, and the largest event of a stream, that is read from it, in bytes.
    pub max_response: usize,
    /// The statuses that prove that it dispatched nothing, as the route vouches.
    pub not_dispatched: Vec<u16>,
}

/// One server of the route. Cheap to clone; ends its connections with the last clone.
#[derive(Clone)]
pub struct Upstream(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    access: watch::Sender<Arc<Access>>,
    metrics: Metrics,
    next_id: AtomicU64,
    eras: eras::Eras,
    /// By the names of its tools.
    header_params: Mutex<HashMap<String, Arc<[HeaderParam]>>>,
}

impl Upstream {
    /// A server at `endpoint`. Opens no connection yet.
    fn new(endpoint: Endpoint, access: Access, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            endpoint,
            access: watch::Sender::new(Arc::new(access)),
            metrics,
            // Far from the ids of requests that an earlier process may have under way in the same session.
            next_id: AtomicU64::new(u64::from(rand::random::<u32>()) << 20),
            eras: eras::Eras::default(),
            header_params: Mutex::default(),
        }))
    }

    /// How requests to it are sent at present.
    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.0.access.borrow())
    }

    /// Takes the place of the access before. Requests under way are not disturbed; connections that are made in another
    /// way from now on close when they are done.
    fn renew(&self, access: Access) {
        self.0.access.send_if_modified(|current| {
            let is_new = **current != access;
            if is_new {
                *current = Arc::new(access);
            }
            is_new
        });
    }

    /// A notification of each change of the credentials and certificates that requests to it are sent with.
    fn renewals(&self) -> watch::Receiver<Arc<Access>> {
        self.0.access.subscribe()
    }

    /// Whether the route's credentials and certificates for it can be used; nothing is sent otherwise.
    pub fn check_access(&self) -> Result<(), Error> {
        self.access().open().map(drop)
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

    /// An id for a request of the gateway's own; no client's id is spelt like it.
    pub fn own_id(&self) -> Id {
        let next = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        Id::text(&format!("asyncmcp:{next}"))
    }

    /// The arguments of a tool that a modern call repeats in its headers; none of a tool that was not listed.
    pub fn header_params(&self, tool: &str) -> Arc<[HeaderParam]> {
        let known = self
            .0
            .header_params
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(tool).cloned().unwrap_or_default()
    }

    /// It listed these tools.
    fn lists(&self, tools: &[Entry]) {
        let declared = tools.iter().map(|tool| (tool.key(), header_params(tool)));
        let mut known = self
            .0
            .header_params
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (tool, params) in declared {
            if params.is_empty() {
                known.remove(tool);
            } else {
                known.insert(tool.to_owned(), params.into());
            }
        }
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
