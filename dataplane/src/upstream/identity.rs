//! Who a server session is opened for: a client's session, or the gateway itself.
//!
//! The edge makes one from a sealed session id; [`super::Upstream::open`] tells it to
//! the server. Invariant: a server is told what the client said of itself and nothing
//! that identifies its session.

use asyncmcp_delivery::clock::Millis;
use asyncmcp_protocol::Version;
use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation, InitializeParams};

/// The one for whom a server session is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The client session's id; all zero for the gateway itself.
    pub sid: [u8; 16],
    /// When that session is over; what the store remembers of it goes then.
    pub expires: Millis,
    /// The version its client speaks, and so the one asked of servers.
    pub version: Version,
    /// The client's `clientInfo`.
    pub client: Implementation,
    /// What the client can do, and so what servers may ask of it.
    pub capabilities: ClientCapabilities,
}

impl Identity {
    /// The gateway itself, able to do what `capabilities` say.
    pub fn gateway(capabilities: ClientCapabilities) -> Self {
        Self {
            sid: [0; 16],
            expires: Millis::default(),
            version: Version::LEGACY[0],
            client: Implementation::new("asyncmcp", env!("CARGO_PKG_VERSION")),
            capabilities,
        }
    }

    /// What a server is told at `initialize`.
    pub(super) fn to_params(&self) -> InitializeParams {
        InitializeParams {
            protocol_version: self.version.to_string(),
            capabilities: self.capabilities,
            client_info: self.client.clone(),
            webhook_url: None,
        }
    }
}
