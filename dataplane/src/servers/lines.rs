//! The ways to servers: a [`Line`] is one server as one caller reaches it.
//!
//! Calls and the catalogue send through [`Lines::lend`], jobs and the catalogue's own visits through [`OwnLines`]. What
//! sessions with servers are, when they are opened, remembered, lost and ended is known in this room only.
//! Invariant: for one caller and server at most one session is opened at a time; a message is sent once more only where
//! its server did not know the session, in [`Line`] and nowhere else; a store that is down costs no ordinary call.

mod audience;
mod changes;
mod entry;
mod fan_in;
mod line;
mod listening;
mod loan;
mod modern_line;
mod own;
mod progress;
mod questions;
mod row;
mod session_line;
mod settings;
mod subscribed;
#[cfg(test)]
mod tests;
mod token;
mod unused;
mod wrap;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asyncmcp_delivery::store::{self, Store};
use asyncmcp_protocol::Response;
use asyncmcp_protocol::log::Level;
use asyncmcp_protocol::subscriptions::List;
use asyncmcp_protocol::tools::HeaderParam;
use bytes::Bytes;
use futures::future::join_all;
use futures::{Stream, StreamExt as _};
use tokio::sync::Semaphore;

use self::audience::Audience;
pub use self::changes::Changes;
use self::changes::Watchers;
use self::entry::{Entry, lock};
pub use self::line::{About, Line};
pub use self::loan::Loan;
use self::modern_line::ModernLine;
pub use self::own::{OwnLines, discard, visiting, with_tasks};
pub use self::progress::InUse;
pub use self::questions::Question;
use self::questions::Questions;
use self::session_line::SessionLine;
pub use self::subscribed::{Part, Unsubscribed};
pub use self::token::Place;
use self::unused::{Entries, Unused};
pub use self::wrap::Wrap;
use crate::caller::Caller;
use crate::servers::{Error, Outgoing, ServerSession, Upstream, Upstreams};

/// How many callers are remembered, and how many sessions with servers for all of them. One takes about 12 KiB here, and
/// whatever it takes at its server. Beyond it, what was not used longest is ended.
const MOST: usize = 4096;
/// Broadcasts that go out at the same time, and those of one caller, and the servers that each is sent to at the same
/// time. The others wait: one small message of a client is a message to every server.
const BROADCASTS: usize = 32;
const BROADCASTS_OF_ONE: usize = 4;
const SERVERS_AT_ONCE: usize = 8;
/// How long ending a server's session may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// All callers' lines. Cheap to clone.
#[derive(Clone)]
pub struct Lines(Arc<Inner>);

struct Inner {
    upstreams: Upstreams,
    own: Arc<OwnLines>,
    store: Arc<dyn Store>,
    wrap: Wrap,
    questions: Questions,
    /// Callers without a scope share what is kept under `None`.
    entries: Mutex<Entries>,
    /// The sessions with servers that the entries have open.
    sessions: Arc<AtomicUsize>,
    most: usize,
    unused: Unused,
    broadcasts: Semaphore,
    /// Who hears of lists that changed, beside the standalone streams.
    watchers: Watchers,
}

impl Lines {
    /// Lines to `upstreams`, whose sessions are remembered in `store`. Must be called within a runtime: tasks
    /// end what is idle, for as long as there are clones.
    pub fn new(upstreams: Upstreams, store: Arc<dyn Store>, wrap: Wrap) -> Self {
        Self::keeping(MOST, upstreams, store, wrap)
    }

    /// The same with at most `most` callers and sessions.
    fn keeping(most: usize, upstreams: Upstreams, store: Arc<dyn Store>, wrap: Wrap) -> Self {
        let inner = Arc::new(Inner {
            own: OwnLines::new(upstreams.clone()),
            upstreams,
            store,
            wrap,
            questions: Questions::default(),
            entries: Mutex::default(),
            sessions: Arc::default(),
            most,
            unused: Unused::start(),
            broadcasts: Semaphore::new(BROADCASTS),
            watchers: Watchers::default(),
        });
        tokio::spawn(unused::end_idle(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// The line of `caller` to `server`. Opens nothing yet.
    pub fn of(&self, caller: &Caller, server: &str) -> Result<Line, Error> {
        let upstream = self.0.upstreams.get(server);
        let upstream = upstream.ok_or_else(|| Error::NoServer(server.to_owned()))?;
        Ok(self.line(caller, upstream))
    }

    /// The line of `caller` to `server` for one exchange: where nothing ties its requests together, one of the gateway's own.
    pub fn lend(&self, caller: &Caller, server: &str) -> Result<Loan, Error> {
        if caller.scope.is_some() {
            return Ok(Loan::of_caller(self.of(caller, server)?));
        }
        let own = Arc::clone(&self.0.own);
        let line = own.take_for(server, caller)?;
        Ok(Loan::of_gateway(line, own, caller.account.clone()))
    }

    /// The arguments of a server's tool that a modern call repeats in its headers.
    pub fn header_params(&self, server: &str, tool: &str) -> Arc<[HeaderParam]> {
        let upstream = self.0.upstreams.get(server);
        upstream.map_or_else(Arc::default, |upstream| upstream.header_params(tool))
    }

    /// The gateway's own lines.
    pub fn own(&self) -> Arc<OwnLines> {
        Arc::clone(&self.0.own)
    }

    /// The caller's standalone stream, one JSON-RPC message each. The newest takes the place of
    /// any before it. Ends when replaced or revoked.
    pub fn stream(&self, caller: &Caller) -> impl Stream<Item = Bytes> + Send + use<> {
        let entry = self.entry(caller);
        let (listener, stream) = fan_in::stream(self.audience(caller, &entry));
        entry.listen(listener);
        let (lines, caller) = (self.clone(), caller.clone());
        tokio::spawn(async move {
            // Attaches the servers' sessions that an earlier process opened.
            drop(lines.established(&caller).await);
            lines.follow(&caller, &entry).await;
        });
        stream
    }

    /// Notifies every caller that listens to get this list again.
    pub fn list_changed(&self, list: List) {
        let entries: Vec<_> = lock(&self.0.entries).values().cloned().collect();
        for entry in entries {
            entry.with_listener(|listener| listener.list_changed(list));
        }
        self.0.watchers.note(list);
    }

    /// A question of the gateway's own to the caller: an id to ask under, by which the answer finds its way back.
    pub fn ask(&self, caller: &Caller) -> Question {
        let (scope, wrap) = (caller.scope, &self.0.wrap);
        self.0.questions.add(|number| wrap.question(scope, number))
    }

    /// Brings a caller's answer to the server that asked, or to the call of its own that asked.
    pub async fn answer(&self, caller: &Caller, response: Response) -> Result<(), Error> {
        let question = |id| self.0.wrap.number(caller.scope, id);
        if let Some(number) = response.id.as_ref().and_then(question) {
            let is_awaited = self.0.questions.answer(number, response.outcome);
            return is_awaited
                .then_some(())
                .ok_or(Error::Protocol("nobody waits for this answer"));
        }
        let asked = response
            .id
            .as_ref()
            .and_then(|id| self.0.wrap.open(caller.scope, id));
        let (server, id) = asked.ok_or(Error::Protocol("no server asked under this id"))?;
        let answer = Response {
            id: Some(id),
            ..response
        };
        let message = Outgoing::new("response", answer.to_bytes());
        self.of(caller, &server)?.send(message).await.map(drop)
    }

    /// Sends a caller's notification to every server that it has a session on.
    pub async fn broadcast(&self, caller: &Caller, notification: Outgoing) {
        let entry = self.entry(caller);
        let never_closed = "these semaphores are never closed";
        let _turn = entry.broadcasts().acquire().await.expect(never_closed);
        let _permit = self.0.broadcasts.acquire().await.expect(never_closed);
        let lines = futures::stream::iter(self.established(caller).await);
        lines
            .for_each_concurrent(SERVERS_AT_ONCE, async |line| {
                if let Err(error) = line.notify(notification.clone()).await {
                    tracing::debug!(server = line.server(), %error, "failed to pass a notification on");
                }
            })
            .await;
    }

    /// The caller asks for log messages of this level and above. Returns when that is stored, and every server that it has
    /// a session on was asked.
    pub async fn set_level(&self, caller: &Caller, level: Level) -> Result<(), store::Error> {
        let entry = self.entry(caller);
        entry.change(|row| row.set_level(level)).await?;
        let never_closed = "these semaphores are never closed";
        let _turn = entry.broadcasts().acquire().await.expect(never_closed);
        let _permit = self.0.broadcasts.acquire().await.expect(never_closed);
        let lines = futures::stream::iter(self.established(caller).await);
        lines
            .for_each_concurrent(SERVERS_AT_ONCE, async |line| {
                if let Some(session) = line.sessions().current() {
                    settings::set_level(&session, level).await;
                }
            })
            .await;
        Ok(())
    }

    /// The caller ended its session. Returns when that is stored; the servers are notified afterwards.
    pub async fn revoke(&self, caller: &Caller) -> Result<(), store::Error> {
        let entry = self.entry(caller);
        let lines = self.established(caller).await;
        entry.change(row::Row::revoke).await?;
        entry.hang_up();
        lock(&self.0.entries).remove(&caller.scope);
        tokio::spawn(async move {
            let ending = lines.iter().map(|line| tokio::time::timeout(GOODBYE, line.end()));
            join_all(ending).await;
        });
        Ok(())
    }

    /// Whether the caller ended its session.
    pub async fn is_revoked(&self, caller: &Caller) -> Result<bool, store::Error> {
        self.entry(caller).is_revoked().await
    }

    fn line(&self, caller: &Caller, upstream: Upstream) -> Line {
        let entry = self.entry(caller);
        let audience = self.audience(caller, &entry);
        let era = caller.version.era();
        let mut envelope = caller.envelope();
        envelope.log_level = envelope.log_level.or(entry.level());
        let modern = ModernLine::new(upstream.clone(), envelope, era);
        let sessions = SessionLine::new(upstream, caller.introduction(), entry);
        Line::new(sessions, modern, era, Some(audience))
    }

    fn audience(&self, caller: &Caller, entry: &Entry) -> Audience {
        Audience::new(caller.scope, self.0.wrap.clone(), entry.tokens().clone())
    }

    fn entry(&self, caller: &Caller) -> Arc<Entry> {
        let inner = &self.0;
        let mut entries = lock(&inner.entries);
        if let Some(entry) = entries.get(&caller.scope) {
            entry.touch();
            return entry.clone();
        }
        let sessions = inner.sessions.load(Ordering::Relaxed);
        inner.unused.make_room(&mut entries, sessions, inner.most);
        let entry = Entry::new(caller, Arc::clone(&inner.store), Arc::clone(&inner.sessions));
        let entry = Arc::new(entry);
        entries.insert(caller.scope, Arc::clone(&entry));
        entry
    }

    /// The lines on which the caller has a session, from this process or an earlier one.
    async fn established(&self, caller: &Caller) -> Vec<Line> {
        let mut established = Vec::new();
        for upstream in self.0.upstreams.all() {
            let line = self.line(caller, upstream);
            if line.is_established().await {
                established.push(line);
            }
        }
        established
    }
}

/// Ends sessions that should not be used again, and waits a little for it.
async fn end(sessions: Vec<ServerSession>) {
    let ending = sessions
        .iter()
        .map(|session| tokio::time::timeout(GOODBYE, session.end()));
    join_all(ending).await;
}
