//! The server sessions that belong to clients' sessions: opened when first needed, remembered
//! in the store, ended with the client's.
//!
//! The edge sends clients' messages through [`Sessions::get`]. A server that restarted costs
//! a client nothing: [`Sessions::reopen`] gets a new session there, and the message that was
//! not dispatched is sent once more. Invariant: for one client and server at most one session
//! is opened at a time, and a store that is down costs no ordinary call.

mod entry;
mod fan_in;
mod row;
#[cfg(test)]
mod tests;
mod wrap;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use asyncmcp_delivery::store::{self, Store};
use asyncmcp_protocol::{Message, Request, Response};
use bytes::Bytes;
use futures::Stream;
use futures::future::join_all;
use tokio::time::Instant;

use self::entry::{Entry, lock};
pub use self::wrap::Wrap;
use crate::upstream::{Answer, Error, Identity, Incoming, Outgoing, ServerSession, Upstream, Upstreams};

/// A session that nobody uses for so long is dropped from memory; the store still knows it.
const IDLE: Duration = Duration::from_mins(10);
/// How long ending a server's session may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// All clients' server sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    upstreams: Upstreams,
    store: Arc<dyn Store>,
    wrap: Wrap,
    entries: Mutex<HashMap<[u8; 16], Arc<Entry>>>,
}

impl Sessions {
    /// Sessions on `upstreams`, remembered in `store`. Must be called within a runtime: a task
    /// drops what is idle, for as long as there are clones.
    pub fn new(upstreams: Upstreams, store: Arc<dyn Store>, wrap: Wrap) -> Self {
        let inner = Arc::new(Inner {
            upstreams,
            store,
            wrap,
            entries: Mutex::default(),
        });
        tokio::spawn(drop_idle(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// The session of `who` on `server`; opened now if there is none.
    pub async fn get(&self, who: &Identity, server: &str) -> Result<ServerSession, Error> {
        let (entry, upstream) = self.place(who, server)?;
        if let Some(session) = entry.open_on(&upstream) {
            return Ok(session);
        }
        let gate = entry.gate(server);
        let _open_by_one = gate.lock().await;
        match entry.open_on(&upstream) {
            Some(session) => Ok(session),
            None => match self.remembered(&entry, &upstream).await {
                Some(session) => Ok(session),
                None => self.open(who, &entry, &upstream).await,
            },
        }
    }

    /// A session in place of `lost`, which the server does not know any more; what was sent in
    /// it was not dispatched and may be sent once more.
    pub async fn reopen(&self, who: &Identity, lost: &ServerSession) -> Result<ServerSession, Error> {
        let (entry, upstream) = self.place(who, lost.server())?;
        let gate = entry.gate(lost.server());
        let _open_by_one = gate.lock().await;
        match entry.open_on(&upstream) {
            Some(session) if !session.is(lost) && session.id() != lost.id() => Ok(session),
            _ => self.open(who, &entry, &upstream).await,
        }
    }

    /// Sends `message` in the session of `who` on `server`. Where the server does not know the
    /// session any more, it is opened again and the message sent once more: the only replay ever.
    pub async fn post(&self, who: &Identity, server: &str, message: Outgoing) -> Result<Answer, Error> {
        let session = self.get(who, server).await?;
        match session.post(message.clone()).await {
            Err(Error::SessionLost) => self.reopen(who, &session).await?.post(message).await,
            answer => {
                self.replace_lost(who, session);
                answer
            }
        }
    }

    /// Opens a session in place of one that an answer said is lost, so that the next message finds it.
    fn replace_lost(&self, who: &Identity, session: ServerSession) {
        if !session.is_lost() {
            return;
        }
        let (sessions, who) = (self.clone(), who.clone());
        tokio::spawn(async move {
            if let Err(error) = sessions.reopen(&who, &session).await {
                tracing::debug!(server = session.server(), %error, "a lost session was not replaced");
            }
        });
    }

    /// The client's standalone stream, one JSON-RPC message each. The newest takes the place of
    /// any before it. Ends when replaced or revoked.
    pub fn stream(&self, who: &Identity) -> impl Stream<Item = Bytes> + Send + use<> {
        let (listener, stream) = fan_in::stream(who.sid, self.0.wrap.clone());
        let entry = self.entry(who);
        entry.listen(listener);
        let sessions = self.clone();
        // Attaches the servers' sessions of a life before this one.
        tokio::spawn(async move { sessions.established(&entry).await });
        stream
    }

    /// Every client that listens is told to list the tools again.
    pub fn tools_changed(&self) {
        let entries: Vec<_> = lock(&self.0.entries).values().cloned().collect();
        for entry in entries {
            entry.with_listener(|listener| listener.tools_changed());
        }
    }

    /// What the client of `who` is to read of a message that came in `session`: a server's
    /// request under an id that finds its way back ([`Sessions::answer`]), anything else as it
    /// came. `None` for a request that cannot be passed on; the server has then been told.
    pub fn relay(&self, who: &Identity, session: &ServerSession, incoming: Incoming) -> Option<Bytes> {
        relay(&self.0.wrap, who.sid, session, incoming)
    }

    /// Brings a client's answer to the server that asked.
    pub async fn answer(&self, who: &Identity, response: Response) -> Result<(), Error> {
        let asked = response.id.as_ref().and_then(|id| self.0.wrap.open(who.sid, id));
        let (server, id) = asked.ok_or(Error::Protocol("no server asked under this id"))?;
        let answer = Response {
            id: Some(id),
            ..response
        };
        let session = self.get(who, &server).await?;
        session
            .post(Outgoing::new("response", answer.to_bytes()))
            .await
            .map(drop)
    }

    /// Sends a client's notification to every server that it has a session on.
    pub async fn broadcast(&self, who: &Identity, notification: Outgoing) {
        let sessions = self.established(&self.entry(who)).await;
        let sending = sessions.iter().map(|session| async {
            if let Err(error) = session.post(notification.clone()).await {
                tracing::debug!(server = session.server(), %error, "a notification did not arrive");
            }
        });
        join_all(sending).await;
    }

    /// The client ended its session. Returns when the store knows; the servers are told after that.
    pub async fn revoke(&self, who: &Identity) -> Result<(), store::Error> {
        let entry = self.entry(who);
        let sessions = self.established(&entry).await;
        entry.change(&*self.0.store, row::Row::revoke).await?;
        entry.hang_up();
        lock(&self.0.entries).remove(&who.sid);
        tokio::spawn(async move {
            let ending = sessions
                .iter()
                .map(|session| tokio::time::timeout(GOODBYE, session.end()));
            join_all(ending).await;
        });
        Ok(())
    }

    /// Whether the client ended its session.
    pub async fn is_revoked(&self, who: &Identity) -> Result<bool, store::Error> {
        Ok(self.entry(who).row(&*self.0.store).await?.revoked)
    }

    fn place(&self, who: &Identity, server: &str) -> Result<(Arc<Entry>, Upstream), Error> {
        let upstream = self.0.upstreams.get(server);
        let upstream = upstream.ok_or_else(|| Error::NoServer(server.to_owned()))?;
        Ok((self.entry(who), upstream))
    }

    fn entry(&self, who: &Identity) -> Arc<Entry> {
        let mut entries = lock(&self.0.entries);
        let entry = entries
            .entry(who.sid)
            .or_insert_with(|| Arc::new(Entry::new(who)));
        entry.touch();
        entry.clone()
    }

    /// Opens a session and remembers it. A store that is down costs only the remembering.
    async fn open(&self, who: &Identity, entry: &Entry, upstream: &Upstream) -> Result<ServerSession, Error> {
        let session = upstream.open(who).await?;
        entry.put(&session);
        if let Err(error) = entry.change(&*self.0.store, |row| row.remember(&session)).await {
            tracing::warn!(server = session.server(), %error, "a session will not outlive this process");
        }
        Ok(session)
    }

    /// The session on `upstream` that an earlier process opened, taken up again.
    async fn remembered(&self, entry: &Entry, upstream: &Upstream) -> Option<ServerSession> {
        let session = entry.row(&*self.0.store).await.ok()?.session(upstream)?;
        entry.put(&session);
        Some(session)
    }

    /// All sessions on servers that the client has, in this process or from an earlier one.
    async fn established(&self, entry: &Entry) -> Vec<ServerSession> {
        for upstream in self.0.upstreams.all() {
            let gate = entry.gate(upstream.name());
            // Where the gate is taken, a new session is being opened: nothing to take up.
            if let Ok(_open_by_one) = gate.try_lock()
                && entry.open_on(&upstream).is_none()
            {
                self.remembered(entry, &upstream).await;
            }
        }
        entry.open()
    }
}

/// The bytes for the client of session `sid`; see [`Sessions::relay`].
fn relay(wrap: &Wrap, sid: [u8; 16], session: &ServerSession, incoming: Incoming) -> Option<Bytes> {
    let Message::Request(request) = incoming.message else {
        return Some(incoming.raw);
    };
    let Some(id) = wrap.seal(sid, session.server(), &request.id) else {
        session.decline(&request);
        return None;
    };
    Some(Request { id, ..request }.to_bytes().into())
}

async fn drop_idle(sessions: Weak<Inner>) {
    const LOOK_EVERY: Duration = Duration::from_mins(1);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(sessions) = sessions.upgrade() else {
            return;
        };
        let then = Instant::now().checked_sub(IDLE);
        let idle = |entry: &Entry| then.is_some_and(|then| entry.is_idle_since(then));
        lock(&sessions.entries).retain(|_, entry| !idle(entry));
    }
}
