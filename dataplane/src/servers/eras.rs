//! Which eras of the protocol a server speaks, as far as that is known.
//!
//! [`crate::servers::lines`] asks before it sends to a server. Invariant: a verdict comes from an answer of the server, never
//! from an outage: no connection, 401, 403, 5xx and silence say nothing about eras.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asyncmcp_protocol::code::ErrorObject;
use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation};
use asyncmcp_protocol::modern::Envelope;
use asyncmcp_protocol::modern::discovered::Discovered;
use asyncmcp_protocol::{Era, RawObject, Request};
use tokio::sync::Mutex;

use super::exchange::{Reply, RequestOptions};
use super::frame::Frame;
use super::session::{Said, ServerSession};
use super::{Error, Upstream};

/// How long `server/discover` may take, even where ordinary calls may take longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The error codes that only modern servers have (2026-07-28, Basic).
const MODERN_CODES: std::ops::RangeInclusive<i64> = -32099..=-32020;

/// What is known. One for each server.
#[derive(Default)]
pub(super) struct Eras {
    /// `None`: nobody has asked.
    verdict: Mutex<Option<Verdict>>,
    refuses_sessions: AtomicBool,
    is_outdated: AtomicBool,
}

/// What the server's answer to `server/discover` says.
#[derive(Clone, Debug)]
enum Verdict {
    /// It is not modern.
    Legacy,
    Modern(Arc<Discovered>),
}

impl Upstream {
    /// Whether the server is modern. Asked once, by whoever comes first.
    async fn verdict(&self) -> Result<Verdict, Error> {
        let eras = &self.0.eras;
        let mut known = eras.verdict.lock().await;
        if eras.is_outdated.swap(false, Ordering::Relaxed) {
            *known = None;
        }
        if let Some(verdict) = &*known {
            return Ok(verdict.clone());
        }
        let verdict = Box::pin(self.probe()).await?;
        *known = Some(verdict.clone());
        Ok(verdict)
    }

    /// The way to it for whoever `envelope` describes; `None` if it is not modern.
    pub(super) async fn modern(
        &self,
        envelope: &Envelope,
        reader: Era,
    ) -> Result<Option<ServerSession>, Error> {
        let Verdict::Modern(server) = self.verdict().await? else {
            return Ok(None);
        };
        let mut envelope = envelope.clone();
        envelope.version = server.version;
        let said = Said {
            instructions: server.instructions.clone(),
            offers: server.offers,
            ..Said::default()
        };
        Ok(Some(ServerSession::modern(
            self.clone(),
            Frame { envelope, reader },
            said,
        )))
    }

    /// Whether it took no `initialize`, but is a modern server.
    pub(super) fn refuses_sessions(&self) -> bool {
        self.0.eras.refuses_sessions.load(Ordering::Relaxed)
    }

    /// It took no `initialize`, but is a modern server.
    pub(super) fn has_refused_sessions(&self) {
        self.0.eras.refuses_sessions.store(true, Ordering::Relaxed);
    }

    /// It answered as another server would: it may have been replaced by one. The next message asks again.
    pub(super) fn forget_eras(&self) {
        self.0.eras.refuses_sessions.store(false, Ordering::Relaxed);
        self.0.eras.is_outdated.store(true, Ordering::Relaxed);
    }

    async fn probe(&self) -> Result<Verdict, Error> {
        let limit = self.timeout().min(PATIENCE);
        let frame = Frame {
            envelope: gateway(ClientCapabilities::NONE),
            reader: Era::Modern,
        };
        let session = ServerSession::modern(self.clone(), frame, Said::default());
        let discover = Request::new(self.own_id(), "server/discover", Some(RawObject::new()));
        let asking = session.call(&discover, RequestOptions::default());
        match tokio::time::timeout(limit, asking).await {
            Err(_) => Err(Error::Silent(limit)),
            Ok(Err(error)) if is_legacy(&error) => Ok(Verdict::Legacy),
            Ok(Err(error)) => Err(error),
            Ok(Ok(reply)) => judge(reply),
        }
    }
}

/// Who the gateway is where it speaks for no client.
pub(super) fn gateway(capabilities: ClientCapabilities) -> Envelope {
    Envelope::new(
        Implementation::new("asyncmcp", env!("CARGO_PKG_VERSION")),
        capabilities,
    )
}

/// What an HTTP error, or something that is not MCP, says: a server that never heard of the modern era.
fn is_legacy(error: &Error) -> bool {
    match error {
        Error::Rejected { status, .. } => matches!(status, 400..500) && !matches!(status, 401 | 403),
        Error::Protocol(_) => true,
        _ => false,
    }
}

fn judge(reply: Reply) -> Result<Verdict, Error> {
    let result = match reply {
        Reply::Result(result) => result,
        Reply::Error(error) => {
            let code = ErrorObject::parse(&error).map_or(0, |error| error.code);
            if !MODERN_CODES.contains(&code) {
                return Ok(Verdict::Legacy);
            }
            Reply::Error(error).result()? // a modern server that could not answer this time
        }
    };
    Ok(match Discovered::parse(&result) {
        Some(server) => Verdict::Modern(Arc::new(server)),
        None => Verdict::Legacy,
    })
}
