//! What this process keeps for one caller: its open sessions with servers, its row in the store, its stream.
//!
//! [`super::Lines`] has one for every caller that was seen lately. Invariant: what it holds can be
//! had again from the store and the servers, so dropping it loses nothing; only [`Entry::end`] does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::store::{self, SessionRow, Store};
use asyncmcp_protocol::log::Level;
use tokio::sync::{Mutex as Gate, Semaphore};
use tokio::time::Instant;

use super::fan_in::Listener;
use super::progress::Tokens;
use super::row::Row;
use super::session_line::Keeper;
use super::settings;
use crate::caller::{Caller, Scope};
use crate::servers::{ServerSession, Upstream};

/// Writes of one row that another writer may spoil before it is an error.
const TRIES: usize = 8;

pub(super) struct Entry {
    store: Arc<dyn Store>,
    /// Where its row is, and when the row is not needed any more. `None` without a session: nothing is remembered.
    place: Option<(Scope, Millis)>,
    /// The open server sessions, by server.
    open: Mutex<BTreeMap<String, ServerSession>>,
    /// How many all entries have open.
    sessions: Arc<AtomicUsize>,
    /// One opens, the others wait and find it open.
    gates: Mutex<BTreeMap<String, Arc<Gate<()>>>>,
    row: Gate<Option<(u64, Row)>>,
    /// What its row says of log messages, as far as the row was read.
    level: Mutex<Option<Level>>,
    listener: Mutex<Option<Listener>>,
    tokens: Tokens,
    broadcasts: Semaphore,
    used: Mutex<Instant>,
}

impl Entry {
    pub(super) fn new(caller: &Caller, store: Arc<dyn Store>, sessions: Arc<AtomicUsize>) -> Self {
        let expires = caller.session.as_ref().map(|session| session.expires);
        Self {
            store,
            place: caller.scope.zip(expires),
            open: Mutex::default(),
            sessions,
            gates: Mutex::default(),
            row: Gate::default(),
            level: Mutex::default(),
            listener: Mutex::default(),
            tokens: Tokens::default(),
            broadcasts: Semaphore::new(super::BROADCASTS_OF_ONE),
            used: Mutex::new(Instant::now()),
        }
    }

    /// All open sessions.
    fn open(&self) -> Vec<ServerSession> {
        lock(&self.open).values().cloned().collect()
    }

    /// Takes `session` as the open one on its server, and listens to it if the client does.
    fn put(&self, session: &ServerSession) {
        let before = lock(&self.open).insert(session.server().to_owned(), session.clone());
        if before.is_none() {
            self.sessions.fetch_add(1, Ordering::Relaxed);
        }
        self.with_listener(|listener| listener.attach(session));
    }

    /// The client listens with this from now on; who listened before is done.
    pub(super) fn listen(&self, listener: Listener) {
        *lock(&self.listener) = Some(listener);
        let sessions = self.open();
        self.with_listener(|listener| sessions.iter().for_each(|session| listener.attach(session)));
    }

    /// Does something with the client's stream, if it has one.
    pub(super) fn with_listener(&self, act: impl FnOnce(&mut Listener)) {
        if let Some(listener) = &mut *lock(&self.listener) {
            act(listener);
        }
    }

    /// The progress tokens of its calls in progress.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The log messages that the client asked for.
    pub(super) fn level(&self) -> Option<Level> {
        *lock(&self.level)
    }

    /// Permits for its broadcasts.
    pub(super) fn broadcasts(&self) -> &Semaphore {
        &self.broadcasts
    }

    /// Ends the client's stream.
    pub(super) fn hang_up(&self) {
        *lock(&self.listener) = None;
    }

    /// It is being used.
    pub(super) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    /// When it was used last.
    pub(super) fn used(&self) -> Instant {
        *lock(&self.used)
    }

    /// Whether the client listens.
    pub(super) fn is_heard(&self) -> bool {
        lock(&self.listener).as_ref().is_some_and(Listener::is_heard)
    }

    /// What it counts for where callers and sessions are bounded.
    pub(super) fn weight(&self) -> usize {
        lock(&self.open).len().max(1)
    }

    /// Takes its open sessions, which are not counted any more.
    pub(super) fn take(&self) -> Vec<ServerSession> {
        let open = std::mem::take(&mut *lock(&self.open));
        self.sessions.fetch_sub(open.len(), Ordering::Relaxed);
        open.into_values().collect()
    }

    /// Ends `sessions`, which it had open. They are forgotten before: a client that comes back should not try one first
    /// that its server does not know any more. It opens new ones.
    pub(super) async fn end(&self, sessions: Vec<ServerSession>) {
        match self.change(|row| row.forget(&sessions)).await {
            Ok(()) => super::end(sessions).await,
            Err(error) => {
                tracing::debug!(%error, "unused sessions with servers are not ended: the store is down");
            }
        }
    }

    /// What the store remembers.
    pub(super) async fn row(&self) -> Result<Row, store::Error> {
        self.known(Row::clone).await
    }

    /// Whether the caller ended its session.
    pub(super) async fn is_revoked(&self) -> Result<bool, store::Error> {
        self.known(|row| row.revoked).await
    }

    async fn known<T>(&self, read: impl FnOnce(&Row) -> T) -> Result<T, store::Error> {
        let Some((scope, _)) = self.place else {
            return Ok(read(&Row::default()));
        };
        let mut cached = self.row.lock().await;
        if let Some((_, row)) = &*cached {
            return Ok(read(row));
        }
        let (version, row) = Box::pin(self.read(scope)).await?;
        *lock(&self.level) = row.level();
        let known = read(&row);
        *cached = Some((version, row));
        Ok(known)
    }

    /// Changes what the store remembers; returns when it does.
    pub(super) async fn change(&self, change: impl Fn(&mut Row)) -> Result<(), store::Error> {
        let Some((scope, expires)) = self.place else {
            return Ok(());
        };
        let mut cached = self.row.lock().await;
        for _ in 0..TRIES {
            let (version, before) = match cached.take() {
                Some(known) => known,
                None => self.read(scope).await?,
            };
            let mut row = before.clone();
            change(&mut row);
            let written = SessionRow {
                version: version + 1,
                expires,
                bytes: row.write(),
            };
            match self.store.swap_session(scope.0, written).await {
                Ok(true) => {
                    *lock(&self.level) = row.level();
                    *cached = Some((version + 1, row));
                    return Ok(());
                }
                Ok(false) => {}
                // Perhaps it was written; then the next change finds out. A session in use goes on with what is known.
                Err(error) => {
                    *cached = Some((version, before));
                    return Err(error);
                }
            }
        }
        Err(store::Error::Down(
            "a session's row is being written all the time".to_owned(),
        ))
    }

    async fn read(&self, scope: Scope) -> Result<(u64, Row), store::Error> {
        let row = self.store.session(scope.0).await?;
        Ok(row.map_or_else(Default::default, |row| (row.version, Row::read(&row.bytes))))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.take();
    }
}

#[async_trait]
impl Keeper for Entry {
    fn open_on(&self, upstream: &Upstream) -> Option<ServerSession> {
        let open = lock(&self.open);
        open.get(upstream.name())
            .filter(|session| session.upstream().is(upstream))
            .cloned()
    }

    fn gate(&self, server: &str) -> Arc<Gate<()>> {
        lock(&self.gates).entry(server.to_owned()).or_default().clone()
    }

    async fn remembered(&self, upstream: &Upstream) -> Option<ServerSession> {
        let session = self.row().await.ok()?.session(upstream)?;
        self.put(&session);
        Some(session)
    }

    /// A store that is down, or has no space for more sessions, costs only the remembering.
    async fn keep(&self, session: &ServerSession) {
        self.put(session);
        let server = session.server();
        match self.change(|row| row.remember(session)).await {
            Ok(()) => {}
            // Whoever opens sessions without end fills no log.
            Err(error @ store::Error::SessionsFull) => {
                tracing::debug!(server, %error, "a session will not outlive this process");
            }
            Err(error) => tracing::warn!(server, %error, "a session will not outlive this process"),
        }
        // After `put`: whoever sets something meanwhile finds the session open, or is read here.
        let row = self.row().await.unwrap_or_default();
        let uris = row.subscriptions().remove(server).unwrap_or_default();
        settings::restore(session, self.level(), uris).await;
    }
}

/// No holder of these locks panics half way; what they guard is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
