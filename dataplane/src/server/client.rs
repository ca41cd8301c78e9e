//! Who a request is from: its session, opened, and the route it is answered by.
//!
//! Every handler but `initialize` makes one first. Invariant: there is none for an id that is
//! unknown, over or revoked.

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_protocol::initialize::ClientCapabilities;
use asyncmcp_protocol::{Notification, Response, Version, header};
use http::HeaderMap;

use super::{Edge, post};
use crate::config::Config;
use crate::respond::Error;
use crate::session::{self, Session};
use crate::upstream::{Identity, Outgoing};

/// How long servers may take to hear a client's notification or answer.
const DELIVERY_TIME: Duration = Duration::from_secs(30);

/// A client with a session, as it was when its request came.
#[derive(Clone)]
pub(crate) struct Client {
    /// What the request may need.
    pub(crate) edge: Arc<Edge>,
    /// The route it is answered by, from beginning to end.
    pub(crate) config: Arc<Config>,
    /// Its session.
    pub(crate) session: Session,
    /// Who it is to servers.
    pub(crate) identity: Identity,
    /// Whether each answer is one JSON body: nothing but the response gets to the client.
    pub(crate) json_only: bool,
}

impl Client {
    /// The client that sent these headers.
    pub(crate) async fn of(
        edge: &Arc<Edge>,
        config: Arc<Config>,
        headers: &HeaderMap,
    ) -> Result<Self, Error> {
        check_version(headers)?;
        let id = headers.get(header::SESSION_ID).ok_or(Error::NoSession)?;
        let id = id.to_str().map_err(|_| session::Error::Unknown)?;
        let session = Session::open(&edge.ring, &config.identity(), id, edge.clock.now())?;
        let client = Self {
            json_only: config.route.transport.json_response,
            identity: identity(&session, config.route.transport.json_response),
            edge: Arc::clone(edge),
            config,
            session,
        };
        // With the store down nobody can tell: ordinary calls go on, webhook calls fail by themselves.
        if edge.sessions.is_revoked(&client.identity).await.unwrap_or(false) {
            return Err(session::Error::Revoked.into());
        }
        edge.metrics.seen(client.session.sid);
        Ok(client)
    }

    /// Passes a notification on to every server that the client has a session on. In the
    /// background: a server that hangs must not hold up the client's 202.
    pub(crate) fn tell(&self, notification: &Notification) {
        let message = Outgoing::new(&notification.method, notification.to_bytes());
        let client = self.clone();
        let telling = async move { client.edge.sessions.broadcast(&client.identity, message).await };
        tokio::spawn(tokio::time::timeout(DELIVERY_TIME, telling));
    }

    /// Brings an answer to the server that asked. In the background, as above.
    pub(crate) fn answer(&self, response: Response) {
        let client = self.clone();
        let answering = async move {
            if let Err(error) = client.edge.sessions.answer(&client.identity, response).await {
                tracing::debug!(%error, "a client's answer did not arrive");
            }
        };
        tokio::spawn(tokio::time::timeout(DELIVERY_TIME, answering));
    }

    /// The silence allowed on a call to `server`.
    pub(crate) fn silence(&self, server: &str) -> Duration {
        let route = &self.config.route;
        let server = route.servers.iter().find(|known| known.name == server);
        server.map_or(route.transport.timeout, |server| server.timeout)
    }
}

/// Absent, the version is the session's; a version with which there are no sessions is refused.
fn check_version(headers: &HeaderMap) -> Result<(), Error> {
    match post::version(headers) {
        Some(named) if !Version::LEGACY.iter().any(|known| known.as_str() == named) => {
            Err(Error::Version(named.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Where every answer is one JSON body, no server's question could be passed on: it is told that
/// the client can do nothing.
fn identity(session: &Session, json_only: bool) -> Identity {
    Identity {
        sid: session.sid,
        expires: session.expires,
        version: session.version,
        client: session.client_info.clone(),
        capabilities: if json_only {
            ClientCapabilities::NONE
        } else {
            session.capabilities
        },
    }
}
