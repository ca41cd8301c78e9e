//! How the messages of one call are spelt on the way to its server and back.
//!
//! [`super`] makes one for each call. In a session that the caller has for itself, ids and progress tokens pass as they
//! are. In one of the gateway's own they are the gateway's, and are mapped back; there only progress and log messages that
//! the call asked for are passed on, since everything else is not about this call. Invariant: no id and no token of the
//! gateway's own reaches the caller.

use std::time::Duration;

use asyncmcp_protocol::log::Level;
use asyncmcp_protocol::{Id, Message, Notification, Request};
use bytes::Bytes;
use tracing::Instrument as _;

use crate::servers::lines::{InUse, Loan};
use crate::servers::{Events, Incoming, Outgoing};

/// How long a server may take to hear that a call is cancelled.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// A call's way.
pub(super) struct Way {
    loan: Loan,
    /// The call's id at the server, and the token that it asks for progress under there.
    id: Id,
    spelling: Spelling,
}

/// Whose ids and tokens stand in the messages.
enum Spelling {
    /// The caller's. Its progress token is known until this is dropped.
    Verbatim { _progress: Option<InUse> },
    /// The gateway's.
    Mapped {
        /// The caller's progress token, if it asked for progress.
        token: Option<Id>,
        /// The log messages that it asked for, if it did.
        log: Option<Level>,
    },
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// With the server's response.
    Answered,
    /// Without.
    Failed,
    /// Without, and the server may still be at work: for this reason it should stop.
    Cancelled(&'static str),
}

impl Way {
    /// The way of `request` on `loan`.
    pub(super) fn of(request: &Request, loan: Loan) -> Self {
        if loan.is_own() {
            let meta = request.meta().unwrap_or_default();
            return Self {
                id: loan.own_id(),
                spelling: Spelling::Mapped {
                    token: request.progress_token(),
                    log: Level::asked_for(&meta),
                },
                loan,
            };
        }
        Self {
            id: request.id.clone(),
            spelling: Spelling::Verbatim {
                _progress: loan.expect_progress(request),
            },
            loan,
        }
    }

    /// The call's id at the server.
    pub(super) fn id(&self) -> &Id {
        &self.id
    }

    /// The id of the call's next round, which is a request of its own.
    pub(super) fn renew(&mut self) {
        self.id = self.loan.own_id();
    }

    /// The line that it is sent on.
    pub(super) fn loan(&self) -> &Loan {
        &self.loan
    }

    /// Puts the ids and tokens of this way into the request.
    pub(super) fn spell(&self, request: &mut Request) {
        request.id = self.id.clone();
        if let Spelling::Mapped { token: Some(_), .. } = self.spelling {
            let mut meta = request.meta().unwrap_or_default();
            meta.set("progressToken", self.id.raw().to_owned());
            request.set_meta(&meta);
        }
    }

    /// What the caller is to read of a message that came on `events` before the response; `None` for what is not for it.
    pub(super) fn relay(&self, events: &Events, incoming: Incoming) -> Option<Bytes> {
        let Spelling::Mapped { token, log } = &self.spelling else {
            return self.loan.relay(events, incoming);
        };
        match incoming.message {
            Message::Request(asked) => {
                events.decline(&asked);
                None
            }
            Message::Notification(said) if said.is_progress() => self.progress(said, token.as_ref()?),
            Message::Notification(said) => (Level::of(&said)? >= (*log)?).then_some(incoming.raw),
            Message::Response(_) => None,
        }
    }

    /// Progress under the token that the caller knows it by.
    fn progress(&self, mut said: Notification, token: &Id) -> Option<Bytes> {
        if said.progress_token().as_ref() != Some(&self.id) {
            return None;
        }
        let params = said.params.as_mut()?;
        params.set("progressToken", token.raw().to_owned());
        Some(said.to_bytes().into())
    }

    /// The call has ended.
    pub(super) fn end(self, end: End) {
        match end {
            End::Answered => self.loan.give_back(),
            End::Failed => {}
            End::Cancelled(reason) => {
                tokio::spawn(self.cancel(reason).in_current_span());
            }
        }
    }

    /// Tells the server to stop; a session of the gateway's own ends after that, not before.
    async fn cancel(self, reason: &'static str) {
        let notification = Notification::cancelled(&self.id, reason);
        let message = Outgoing::new("notifications/cancelled", notification.to_bytes());
        let sending = tokio::time::timeout(CANCEL_TIME, self.loan.notify(message));
        if !matches!(sending.await, Ok(Ok(()))) {
            tracing::debug!(
                server = self.loan.server(),
                "failed to notify a server that a call is cancelled"
            );
        }
    }
}
