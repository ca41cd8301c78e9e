//! The caller to whom servers' messages are passed on.
//!
//! A [`super::Line`] and the caller's standalone stream have one. Invariant: a server's request reaches the caller under
//! an id by which the answer finds its way back, progress only if the caller asked for it, and no id of a server's task.

use asyncmcp_protocol::{Id, Message, Request};
use bytes::Bytes;

use super::progress::{InUse, Tokens};
use super::wrap::Wrap;
use crate::caller::Scope;
use crate::servers::{Incoming, ServerSession};

/// Who hears what servers say. Cheap to clone.
#[derive(Clone)]
pub(super) struct Audience {
    scope: Option<Scope>,
    wrap: Wrap,
    tokens: Tokens,
}

impl Audience {
    pub(super) fn new(scope: Option<Scope>, wrap: Wrap, tokens: Tokens) -> Self {
        Self { scope, wrap, tokens }
    }

    /// What the caller is to read of a message that came in `session`; see [`super::Line::relay`].
    pub(super) fn relay(&self, session: &ServerSession, incoming: Incoming) -> Option<Bytes> {
        if !self.tokens.allow(session.server(), &incoming.message) {
            return None;
        }
        let request = match incoming.message {
            Message::Request(request) => request,
            // It names the task as its server does. Clients poll; they must not rely on it (2025-11-25, Tasks).
            Message::Notification(said) if said.method == "notifications/tasks/status" => return None,
            _ => return Some(incoming.raw),
        };
        if session.is_modern() {
            return None;
        }
        let Some(id) = self.wrap.seal(self.scope, session.server(), &request.id) else {
            session.decline(&request);
            return None;
        };
        Some(Request { id, ..request }.to_bytes().into())
    }

    /// The caller wants to hear of the progress that `server` reports under `token`, until this is dropped.
    pub(super) fn expect(&self, server: &str, token: Id) -> InUse {
        self.tokens.ask(server, token)
    }
}
