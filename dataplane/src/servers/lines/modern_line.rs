//! A line to a server of the modern era: every message stands for itself.
//!
//! [`super::Line`] sends through it where the server is modern. Invariant: nothing is opened and nothing is kept; who the
//! caller is goes with each request.

use asyncmcp_protocol::Era;
use asyncmcp_protocol::initialize::ClientCapabilities;
use asyncmcp_protocol::modern::Envelope;

use crate::servers::{Error, ServerSession, Upstream};

/// A server, and who speaks to it.
#[derive(Clone)]
pub(super) struct ModernLine {
    upstream: Upstream,
    envelope: Envelope,
    reader: Era,
}

impl ModernLine {
    /// To `upstream`, for whoever `envelope` describes; answers are for a reader of this era.
    pub(super) fn new(upstream: Upstream, envelope: Envelope, reader: Era) -> Self {
        Self {
            upstream,
            envelope,
            reader,
        }
    }

    /// The same for somebody who cannot be asked anything.
    pub(super) fn unasked(mut self) -> Self {
        self.envelope.capabilities = ClientCapabilities::NONE;
        self
    }

    /// The way to the server; `None` if it is not modern.
    pub(super) async fn get(&self) -> Result<Option<ServerSession>, Error> {
        let way = self.upstream.modern(&self.envelope, self.reader).await;
        way.map_err(|error| Error::NotOpened(Box::new(error)))
    }
}
