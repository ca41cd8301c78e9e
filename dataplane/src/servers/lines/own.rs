//! The gateway's own lines: for jobs, for calls and lists of clients without a session, and for the catalogue's visits.
//!
//! A job or call takes one and returns it, since opening a session costs as much as a quick call. Invariant: a session runs
//! one job or call at a time, and only those of one client, since a server may keep what one call left for the next one in the same
//! session; one that a job or call ended badly on is not returned.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use asyncmcp_delivery::job::Key;
use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation, InitializeParams, TASKS_EXTENSION};
use asyncmcp_protocol::modern::Envelope;
use asyncmcp_protocol::{Era, Version};
use tokio::sync::Mutex as Gate;
use tokio::time::Instant;

use super::end;
use super::entry::lock;
use super::line::Line;
use super::modern_line::ModernLine;
use super::session_line::{Keeper, SessionLine};
use super::token::{Place, ResumeToken};
use crate::caller::Caller;
use crate::servers::{Error, ServerSession, Upstream, Upstreams, eras};

/// A session without a job for this long is ended.
const IDLE: Duration = Duration::from_mins(1);
/// How often that is checked.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// Sessions without a job. Beyond it, the one that was not used longest is ended.
const MOST_IDLE: usize = 1024;

/// The gateway's own lines, and the sessions that no job is using.
pub struct OwnLines {
    upstreams: Upstreams,
    idle: Mutex<Pool>,
}

/// Whose sessions they are: of which server, and for which client.
type Owner = (Key, Key);

/// The sessions that no job is using, of each owner those that were used last at the end.
#[derive(Default)]
struct Pool {
    idle: HashMap<Owner, Vec<Idle>>,
    len: usize,
}

struct Idle {
    session: ServerSession,
    since: Instant,
}

impl OwnLines {
    /// Lines to `upstreams`. Must be called within a runtime.
    pub fn new(upstreams: Upstreams) -> Arc<Self> {
        let own = Arc::new(Self {
            upstreams,
            idle: Mutex::default(),
        });
        tokio::spawn(end_idle(Arc::downgrade(&own)));
        own
    }

    /// A line for one job of `client`: on a session that is idle and was its own, else on one that is opened with the first
    /// message. On it nobody can be asked, a modern server may answer with a task, and its result is delivered in the one
    /// form that all receivers read.
    pub fn take(&self, server: &str, client: &str) -> Result<Line, Error> {
        self.on_idle(server, client, of_jobs(Era::Legacy))
    }

    /// The same for one exchange of a caller without a session, whom a modern server gets to know by its envelope.
    pub(super) fn take_for(&self, server: &str, caller: &Caller) -> Result<Line, Error> {
        let era = caller.version.era();
        self.on_idle(server, &caller.account, (era, caller.envelope(), era))
    }

    fn on_idle(&self, server: &str, client: &str, modern: ModernSide) -> Result<Line, Error> {
        let upstream = self.upstreams.get(server);
        let upstream = upstream.ok_or_else(|| Error::NoServer(server.to_owned()))?;
        let session = lock(&self.idle).take(owner(server, client));
        let (kept, moved): (Option<_>, Option<_>) = match session {
            Some(idle) if idle.session.upstream().is(&upstream) => (Some(idle.session), None),
            idle => (None, idle),
        };
        if let Some(idle) = moved {
            // The route has moved the server, and with it every session kept for it.
            tokio::spawn(end(vec![idle.session]));
        }
        Ok(own_line(
            upstream,
            ClientCapabilities::NONE,
            modern,
            Lease::holding(kept),
        ))
    }

    /// The line that an earlier process left `token` for. Its session is the only one that will do, and it is not kept
    /// for other jobs: what its server offers is not known any more. `None` where the token or the server is none.
    pub fn resumed(&self, server: &str, token: &[u8]) -> Option<(Line, Place)> {
        let token = ResumeToken::read(token)?;
        let upstream = self.upstreams.get(server)?;
        let (prefers, session) = match token.place {
            Place::ModernTask(_) => (Era::Modern, None),
            Place::Task(_) | Place::Stream { .. } => {
                let session = upstream.known(token.session.as_deref(), token.version()?)?;
                (Era::Legacy, Some(session))
            }
        };
        let lease = Lease {
            replaceable: false,
            ..Lease::holding(session)
        };
        Some((
            own_line(upstream, ClientCapabilities::NONE, of_jobs(prefers), lease),
            token.place,
        ))
    }

    /// Keeps the session of a line on which a job or call of `client` went well, unless its server has forgotten it.
    pub fn give_back(&self, line: &Line, client: &str) {
        let Some(session) = line.sessions().current().filter(|session| !session.is_lost()) else {
            return;
        };
        let owner = owner(session.server(), client);
        let kept = Idle {
            since: Instant::now(),
            session,
        };
        if let Some(over) = lock(&self.idle).put(owner, kept, MOST_IDLE) {
            tokio::spawn(end(vec![over.session]));
        }
    }

    /// Ends the sessions that are idle.
    pub async fn close(&self) {
        end(self.remove(|_| true)).await;
    }

    fn remove(&self, over: impl Fn(&Idle) -> bool) -> Vec<ServerSession> {
        lock(&self.idle).remove(over)
    }
}

fn owner(server: &str, client: &str) -> Owner {
    (Key::of(server), Key::of(client))
}

impl Pool {
    fn take(&mut self, owner: Owner) -> Option<Idle> {
        let idle = self.idle.get_mut(&owner)?.pop()?;
        self.len -= 1;
        Some(idle)
    }

    /// What was not used longest is returned where there are more than `most`.
    fn put(&mut self, owner: Owner, idle: Idle, most: usize) -> Option<Idle> {
        self.idle.entry(owner).or_default().push(idle);
        self.len += 1;
        if self.len <= most {
            return None;
        }
        let oldest = self.idle.values_mut().filter(|kept| !kept.is_empty());
        let oldest = oldest.min_by_key(|kept| kept[0].since)?.remove(0);
        self.len -= 1;
        Some(oldest)
    }

    fn remove(&mut self, over: impl Fn(&Idle) -> bool) -> Vec<ServerSession> {
        let over = self
            .idle
            .values_mut()
            .flat_map(|kept| kept.extract_if(.., |idle| over(idle)));
        let over: Vec<_> = over.map(|idle| idle.session).collect();
        self.idle.retain(|_, kept| !kept.is_empty());
        self.len -= over.len();
        over
    }
}

/// A line for the catalogue's visits. Everything is declared on it, since a server may show a poorer client less.
pub fn visiting(upstream: &Upstream) -> Line {
    let everything = ClientCapabilities::from_bits(u16::MAX);
    let modern = (Era::Legacy, eras::gateway(everything), Era::Modern);
    own_line(upstream.clone(), everything, modern, Lease::holding(None))
}

/// A line for a job to the modern side of a server that offers tasks there, whatever sessions it offers beside.
pub async fn with_tasks(upstream: &Upstream) -> Result<Option<Line>, Error> {
    let modern = of_jobs(Era::Modern);
    let way = upstream.modern(&modern.1, modern.2).await;
    let way = way.map_err(|error| Error::NotOpened(Box::new(error)))?;
    let offered = way.filter(ServerSession::offers_task_extension);
    let lease = Lease::holding(None);
    Ok(offered.map(|_| own_line(upstream.clone(), ClientCapabilities::NONE, modern, lease)))
}

/// Ends the session of a line that should not be used again. Nobody waits for it.
pub fn discard(line: Line) {
    tokio::spawn(async move { end(line.sessions().current().into_iter().collect()).await });
}

/// The preferred era, who speaks to a modern server, and the era of who reads its answers.
type ModernSide = (Era, Envelope, Era);

/// What modern servers get to know of a job's line: that a call may become a task, and that nobody can be asked.
fn of_jobs(prefers: Era) -> ModernSide {
    let capabilities = ClientCapabilities::only(TASKS_EXTENSION);
    (prefers, eras::gateway(capabilities), Era::Legacy)
}

fn own_line(
    upstream: Upstream,
    capabilities: ClientCapabilities,
    (prefers, envelope, reader): ModernSide,
    lease: Lease,
) -> Line {
    let introduction = InitializeParams {
        protocol_version: Version::LEGACY[0].to_string(),
        capabilities,
        client_info: Implementation::new("asyncmcp", env!("CARGO_PKG_VERSION")),
        webhook_url: None,
    };
    let modern = ModernLine::new(upstream.clone(), envelope, reader);
    let sessions = SessionLine::new(upstream, introduction, Arc::new(lease));
    Line::new(sessions, modern, prefers, None)
}

/// The session of one job or one visit.
struct Lease {
    session: Mutex<Option<ServerSession>>,
    gate: Arc<Gate<()>>,
    replaceable: bool,
}

impl Lease {
    fn holding(session: Option<ServerSession>) -> Self {
        Self {
            session: Mutex::new(session),
            gate: Arc::default(),
            replaceable: true,
        }
    }
}

#[async_trait]
impl Keeper for Lease {
    fn open_on(&self, _: &Upstream) -> Option<ServerSession> {
        lock(&self.session).clone()
    }

    fn gate(&self, _: &str) -> Arc<Gate<()>> {
        Arc::clone(&self.gate)
    }

    async fn remembered(&self, _: &Upstream) -> Option<ServerSession> {
        None
    }

    async fn keep(&self, session: &ServerSession) {
        *lock(&self.session) = Some(session.clone());
    }

    fn is_replaceable(&self) -> bool {
        self.replaceable
    }
}

async fn end_idle(own: Weak<OwnLines>) {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        let Some(own) = own.upgrade() else { return };
        end(own.remove(|idle| idle.since.elapsed() >= IDLE)).await;
    }
}
