//! A line to a server of the legacy era: every message goes in a session.
//!
//! [`super::Line`] sends through it. Where the session is kept between messages is for its [`Keeper`] to know: with a
//! client's other sessions, or with one job. Invariant: one session is opened at a time, and who waits for it uses it.

use std::sync::Arc;

use async_trait::async_trait;
use asyncmcp_protocol::initialize::InitializeParams;
use tokio::sync::Mutex as Gate;

use crate::servers::{Error, ServerSession, Upstream};

/// Where the session of a line is kept.
#[async_trait]
pub(super) trait Keeper: Send + Sync {
    /// The open session on `upstream`; one on a server that had this name before does not count.
    fn open_on(&self, upstream: &Upstream) -> Option<ServerSession>;

    /// Held while a session on `server` is opened.
    fn gate(&self, server: &str) -> Arc<Gate<()>>;

    /// A session on `upstream` that an earlier process opened.
    async fn remembered(&self, upstream: &Upstream) -> Option<ServerSession>;

    /// Keeps a session that was just opened, and sets in it what the caller has set for all of them.
    async fn keep(&self, session: &ServerSession);

    /// Whether another session will do where the server does not know this one any more.
    fn is_replaceable(&self) -> bool {
        true
    }
}

/// A server, and the sessions that one caller has on it, one after another.
#[derive(Clone)]
pub(super) struct SessionLine {
    upstream: Upstream,
    introduction: Arc<InitializeParams>,
    keeper: Arc<dyn Keeper>,
}

impl SessionLine {
    pub(super) fn new(upstream: Upstream, introduction: InitializeParams, keeper: Arc<dyn Keeper>) -> Self {
        Self {
            upstream,
            introduction: Arc::new(introduction),
            keeper,
        }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The session that is open.
    pub(super) fn current(&self) -> Option<ServerSession> {
        self.keeper.open_on(&self.upstream)
    }

    /// The session to send in; opened now if there is none. Opening one takes a large future, which only who needs it
    /// allocates.
    pub(super) async fn get(&self) -> Result<ServerSession, Error> {
        match self.current() {
            Some(session) if session.is_lost() => Box::pin(self.replace(&session)).await,
            Some(session) => Ok(session),
            None => Box::pin(self.first()).await,
        }
    }

    async fn first(&self) -> Result<ServerSession, Error> {
        let gate = self.keeper.gate(self.upstream.name());
        let _open_by_one = gate.lock().await;
        match self.current() {
            Some(session) => Ok(session),
            None => match self.keeper.remembered(&self.upstream).await {
                Some(session) => Ok(session),
                None => self.open().await,
            },
        }
    }

    /// A session in place of `lost`, which the server does not know any more.
    pub(super) async fn replace(&self, lost: &ServerSession) -> Result<ServerSession, Error> {
        if !self.keeper.is_replaceable() {
            return Err(Error::SessionLost);
        }
        let gate = self.keeper.gate(self.upstream.name());
        let _open_by_one = gate.lock().await;
        match self.current() {
            Some(session) if !session.is(lost) && session.id() != lost.id() => Ok(session),
            _ => self.open().await,
        }
    }

    /// Whether there is a session, from this process or an earlier one. Where one is just being opened there is none.
    pub(super) async fn is_established(&self) -> bool {
        let gate = self.keeper.gate(self.upstream.name());
        match gate.try_lock() {
            _ if self.current().is_some() => true,
            Ok(_open_by_one) => self.keeper.remembered(&self.upstream).await.is_some(),
            Err(_) => false,
        }
    }

    /// What fails here was no answer to a message: none was sent.
    async fn open(&self) -> Result<ServerSession, Error> {
        let session = self.upstream.open(&self.introduction).await;
        let session = session.map_err(|error| Error::NotOpened(Box::new(error)))?;
        self.keeper.keep(&session).await;
        Ok(session)
    }
}
