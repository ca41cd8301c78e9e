//! Who asks: all that the rest of the data plane knows of the origin of a request, and how it is answered.
//!
//! The edge makes a [`Caller`] of each request, once, in the file of its era. Here lives what calls, servers and the edge
//! stand on: answers, errors, measurements, trace context. Nothing here sends a message. Invariant: of what only the legacy
//! era has, [`Caller::session`], [`crate::servers::lines`] reads when it expires, and nobody else anything.

pub mod access;
pub mod answer;
pub mod grants;
pub mod operation;
pub mod principal;
pub mod respond;
pub mod session;
pub mod trace;

use std::fmt;

use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation, InitializeParams};
use asyncmcp_protocol::log::Level;
use asyncmcp_protocol::modern::Envelope;
use asyncmcp_protocol::{Era, Version};
use tokio::time::Instant;

use self::access::Access;
use self::grants::Grants;
use self::principal::Principal;
use self::session::LegacySession;

/// The account that modern clients without credentials share.
const ANYBODY: &str = "anonymous";

/// Whose requests belong together: their ids, cancellations and sessions with servers hang on it.
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
    /// Who it is by its credentials; `None` on a route without `auth`.
    pub principal: Option<Principal>,
    /// When its token expires, and a stream that was opened with it ends.
    pub expires: Option<Instant>,
    /// What its credentials let it call, beyond what needs no scope.
    pub grants: Grants,
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
    /// The log messages that this request asks for. A legacy caller asks once for its session, which
    /// [`crate::servers::lines`] keeps.
    pub log_level: Option<Level>,
    /// What only the legacy era has.
    pub session: Option<LegacySession>,
}

impl Caller {
    /// The caller of a request in this session.
    pub fn in_session(session: LegacySession, access: &Access) -> Self {
        let scope = Scope(session.sid);
        Self {
            principal: access.principal,
            expires: access.expires,
            grants: access.grants.clone(),
            // Not the principal: ids of requests are unique in a session, and one session's end is not that of others.
            scope: Some(scope),
            // A request that came by no connection; only tests make one.
            account: access.account.clone().unwrap_or_else(|| scope.to_string()),
            version: session.version,
            info: session.client_info.clone(),
            capabilities: session.capabilities,
            receiver: session.receiver.clone(),
            acknowledges: match session.receiver {
                Some(_) => Acknowledges::Empty202,
                None => Acknowledges::ToolResult,
            },
            log_level: None,
            session: Some(session),
        }
    }

    /// The caller of a legacy request on a route without sessions: it is asked nothing, and nothing is kept for it.
    pub fn stateless(version: Version, access: &Access) -> Self {
        let envelope = Envelope::new(Implementation::default(), ClientCapabilities::NONE);
        Self {
            version,
            ..Self::without_session(envelope, access)
        }
    }

    /// The caller of a modern request. Nothing ties it to the next one: two clients of one principal count their ids from
    /// the same number.
    pub fn without_session(envelope: Envelope, access: &Access) -> Self {
        Self {
            principal: access.principal,
            expires: access.expires,
            grants: access.grants.clone(),
            scope: None,
            // A request that came by no connection; only tests make one.
            account: access.account.clone().unwrap_or_else(|| ANYBODY.to_owned()),
            version: envelope.version,
            info: envelope.client_info,
            capabilities: envelope.capabilities,
            receiver: None,
            acknowledges: Acknowledges::ToolResult,
            log_level: envelope.log_level,
            session: None,
        }
    }

    /// Whether it reads the ids of events. A client with a receiver of its own (asyncmcp) does not.
    pub fn can_resume(&self) -> bool {
        self.session.is_some() && self.acknowledges == Acknowledges::ToolResult
    }

    /// Whom idempotency keys and jobs belong to: the principal, in whatever session; without credentials the scope.
    pub fn owner(&self) -> Option<Scope> {
        let principal = self.principal.map(|principal| Scope(principal.0));
        principal.or(self.scope)
    }

    /// How the gateway introduces itself to a modern server in the caller's name. A legacy caller can be asked there, by
    /// requests on the stream of its call, and has no other capability.
    pub fn envelope(&self) -> Envelope {
        let capabilities = match self.version.era() {
            Era::Legacy => self.capabilities.to_be_asked(),
            Era::Modern => self.capabilities,
        };
        Envelope {
            log_level: self.log_level,
            ..Envelope::new(self.info.clone(), capabilities)
        }
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
