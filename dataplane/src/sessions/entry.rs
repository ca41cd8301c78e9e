//! One client session as this process knows it: its open server sessions, its row, its stream.
//!
//! [`super::Sessions`] keeps one for every session in use. Invariant: what it holds can be
//! had again from the store and the servers, so dropping it when idle loses nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::store::{self, SessionRow, Store};
use tokio::sync::Mutex as Gate;
use tokio::time::Instant;

use super::fan_in::Listener;
use super::row::Row;
use crate::upstream::{Identity, ServerSession, Upstream};

/// Writes of one row that another writer may spoil before it is an error.
const TRIES: usize = 8;

pub(super) struct Entry {
    sid: [u8; 16],
    expires: Millis,
    /// The open server sessions, by server.
    open: Mutex<BTreeMap<String, ServerSession>>,
    /// One opens, the others wait and find it open.
    gates: Mutex<BTreeMap<String, Arc<Gate<()>>>>,
    row: Gate<Option<(u64, Row)>>,
    listener: Mutex<Option<Listener>>,
    used: Mutex<Instant>,
}

impl Entry {
    pub(super) fn new(who: &Identity) -> Self {
        Self {
            sid: who.sid,
            expires: who.expires,
            open: Mutex::default(),
            gates: Mutex::default(),
            row: Gate::default(),
            listener: Mutex::default(),
            used: Mutex::new(Instant::now()),
        }
    }

    /// The open session on `upstream`; one on a server that had this name before does not count.
    pub(super) fn open_on(&self, upstream: &Upstream) -> Option<ServerSession> {
        let open = lock(&self.open);
        open.get(upstream.name())
            .filter(|session| session.upstream().is(upstream))
            .cloned()
    }

    /// All open sessions.
    pub(super) fn open(&self) -> Vec<ServerSession> {
        lock(&self.open).values().cloned().collect()
    }

    /// Takes `session` as the open one on its server, and listens to it if the client does.
    pub(super) fn put(&self, session: &ServerSession) {
        lock(&self.open).insert(session.server().to_owned(), session.clone());
        self.with_listener(|listener| listener.attach(session));
    }

    /// Held while a session on `server` is opened.
    pub(super) fn gate(&self, server: &str) -> Arc<Gate<()>> {
        lock(&self.gates).entry(server.to_owned()).or_default().clone()
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

    /// Ends the client's stream.
    pub(super) fn hang_up(&self) {
        *lock(&self.listener) = None;
    }

    /// It is being used.
    pub(super) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    /// Whether nobody used it since `then` and nobody listens.
    pub(super) fn is_idle_since(&self, then: Instant) -> bool {
        let listens = lock(&self.listener).as_ref().is_some_and(Listener::is_heard);
        !listens && *lock(&self.used) < then
    }

    /// What the store remembers.
    pub(super) async fn row(&self, store: &dyn Store) -> Result<Row, store::Error> {
        let mut cached = self.row.lock().await;
        let (_, row) = match &mut *cached {
            Some(known) => known,
            empty => empty.insert(read(store, self.sid).await?),
        };
        Ok(row.clone())
    }

    /// Changes what the store remembers; returns when it does.
    pub(super) async fn change(
        &self,
        store: &dyn Store,
        change: impl Fn(&mut Row),
    ) -> Result<(), store::Error> {
        let mut cached = self.row.lock().await;
        for _ in 0..TRIES {
            let (version, mut row) = match cached.take() {
                Some(known) => known,
                None => read(store, self.sid).await?,
            };
            change(&mut row);
            let (version, expires, bytes) = (version + 1, self.expires, row.write());
            let written = SessionRow {
                version,
                expires,
                bytes,
            };
            if store.swap_session(self.sid, written).await? {
                *cached = Some((version, row));
                return Ok(());
            }
        }
        Err(store::Error::Down(
            "a session's row is being written all the time".to_owned(),
        ))
    }
}

async fn read(store: &dyn Store, sid: [u8; 16]) -> Result<(u64, Row), store::Error> {
    let row = store.session(sid).await?;
    Ok(row.map_or_else(Default::default, |row| (row.version, Row::read(&row.bytes))))
}

/// No holder of these locks panics half way; what they guard is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
