//! Who asks: all that the rest of the data plane knows of the origin of a request, and how it is answered.
//!
//! The edge makes a [`Caller`] of each request, once, in the file of its era. Here lives what calls, servers and the edge
//! stand on: answers, errors, measurements, trace context. Nothing here sends a message. Invariant: of what only the legacy
//! era has, [`Caller::session`], [`crate::servers::lines`] reads when it expires, and nobody else anything.

pub mod answer;
pub mod operation;
pub mod respond;
pub mod session;
pub mod trace;

use std::fmt;

use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation, InitializeParams};
use asyncmcp_protocol::modern::Envelope;
use asyncmcp_protocol::{Era, Version};

use self::session::LegacySession;

/// Whose calls belong together: deduplication, cancellations and sessions with servers hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(pub [u8; 16]);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// How the acceptance of a webhook tool's call is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledges {
    /// Status 202 without a body: the caller waits for the response at the receiver that it named (asyncmcp).
    Empty202,
    /// A tool result that a model can act on: any other client would wait for ever after a 202.
    ToolResult,
}

/// The origin of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `None` where nothing ties one request of the caller to the next.
    pub scope: Option<Scope>,
    /// Whom limits and shares are counted for.
    pub account: String,
    /// The version it speaks, and so what an answer may look like.
    pub version: Version,
    /// Its name and version, as it gives them.
    pub info: Implementation,
    /// What it can do, and so what servers may ask of it.
    pub capabilities: ClientCapabilities,
    /// The receiver of the results of webhook tools, if it named one beforehand.
    pub receiver: Option<String>,
    /// How the acceptance of a call is acknowledged.
    pub acknowledges: Acknowledges,
    /// What only the legacy era has.
    pub session: Option<LegacySession>,
}

impl Caller {
    /// The caller of a request in this session.
    pub fn in_session(session: LegacySession) -> Self {
        let scope = Scope(session.sid);
        Self {
            scope: Some(scope),
            // Without credentials nothing but the session tells clients apart.
            account: scope.to_string(),
            version: session.version,
            info: session.client_info.clone(),
            capabilities: session.capabilities,
            receiver: session.receiver.clone(),
            acknowledges: match session.receiver {
                Some(_) => Acknowledges::Empty202,
                None => Acknowledges::ToolResult,
            },
            session: Some(session),
        }
    }

    /// The caller of a modern request, which stands for itself: nothing but `account` ties it to others.
    pub fn of_envelope(envelope: Envelope, account: String) -> Self {
        Self {
            scope: None,
            account,
            version: envelope.version,
            info: envelope.info,
            capabilities: envelope.capabilities,
            receiver: None,
            acknowledges: Acknowledges::ToolResult,
            session: None,
        }
    }

    /// How the gateway introduces itself to a modern server in the caller's name. A legacy caller cannot be asked there.
    pub fn envelope(&self) -> Envelope {
        let capabilities = match self.era() {
            Era::Legacy => ClientCapabilities::NONE,
            Era::Modern => self.capabilities,
        };
        Envelope::new(self.info.clone(), capabilities)
    }

    /// Its era.
    pub fn era(&self) -> Era {
        self.version.era()
    }

    /// Whose idempotency keys meet: those of one session; without one, those of one account.
    pub fn owner(&self) -> String {
        self.scope
            .map_or_else(|| self.account.clone(), |scope| scope.to_string())
    }

    /// How the gateway introduces itself to a server in the caller's name: what the caller gave as its name, version
    /// and capabilities, and nothing that identifies it.
    pub fn introduction(&self) -> InitializeParams {
        InitializeParams {
            protocol_version: self.version.to_string(),
            capabilities: self.capabilities,
            client_info: self.info.clone(),
            webhook_url: None,
        }
    }
}
