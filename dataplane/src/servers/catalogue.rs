//! What the servers offer under the names that clients see, and which server each name belongs to.
//!
//! Calls resolve every name and URI here and lists are made here; `/status` and readiness
//! read it. Invariant: a name belongs to its server until that server's list was fetched
//! without it; nothing falls through to another server because one is away.

mod answers;
mod cursor;
mod defects;
mod directory;
mod fetch;
mod health;
mod index;
mod merged;
mod pages;
mod prompts;
mod resources;
pub(crate) mod scopes;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asyncmcp_crds::ServerReport;
use asyncmcp_crds::v1alpha1::WebhookToolStatus;
use asyncmcp_protocol::listing::Kind;
use asyncmcp_protocol::subscriptions::List;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::answers::Unlisted;
pub use self::cursor::Cursors;
use self::directory::Directory;
pub use self::directory::{Prompt, Readers};
use self::index::Index;
pub use self::index::Tool;
pub(crate) use self::index::webhook;
pub use self::merged::Listing;
pub use self::prompts::{Entries, ResolvedPrompt};
use self::state::{Found, Table};
use self::watch::Watch;
use crate::config::Config;
use crate::servers::lines::Lines;
use crate::servers::{Upstream, Upstreams};

/// How long a name waits for servers that were not tried yet.
const FIRST_VISITS: Duration = Duration::from_secs(5);
/// The most instructions that a client is given, in bytes.
const MAX_INSTRUCTIONS: usize = 16 << 10;

/// What a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A tool.
    Tool(Tool),
    /// Nothing: every server that could have it was listed without it.
    Unknown,
    /// Perhaps a tool of this server, which was never listed.
    Unavailable {
        /// The server.
        server: String,
    },
}

/// The catalogue. Cheap to clone; its tasks end with the last clone.
#[derive(Clone)]
pub struct Catalogue(Arc<Inner>);

struct Inner {
    table: Arc<Table>,
    lines: Lines,
    cursors: Cursors,
    watched: Arc<Watched>,
    _ends_the_tasks: DropGuard,
}

/// The watches that run, by server.
#[derive(Default)]
struct Watched(Mutex<BTreeMap<String, Watching>>);

struct Watching {
    upstream: Upstream,
    list_again: Arc<Notify>,
    _ends_the_watch: DropGuard,
}

impl Catalogue {
    /// Begins to watch the route's servers. Must be called within a runtime.
    pub fn start(upstreams: Upstreams, lines: Lines, cursors: Cursors) -> Self {
        let mut live = upstreams.live().clone();
        let table = Arc::new(Table::new(live.borrow_and_update().clone()));
        let watched = Arc::new(Watched::default());
        let ended = CancellationToken::new();
        watched.follow(&upstreams, &table);
        tokio::spawn(ended.clone().run_until_cancelled_owned({
            let (table, watched) = (table.clone(), watched.clone());
            async move {
                while live.changed().await.is_ok() {
                    let config = live.borrow_and_update().clone();
                    table.follow(&config);
                    watched.follow(&upstreams, &table);
                }
            }
        }));
        tokio::spawn(ended.clone().run_until_cancelled_owned({
            let (mut changes, lines) = (table.changes(), lines.clone());
            async move {
                while changes.changed().await.is_ok() {
                    lines.list_changed(List::Tools);
                }
            }
        }));
        Self(Arc::new(Inner {
            table,
            lines,
            cursors,
            watched,
            _ends_the_tasks: ended.drop_guard(),
        }))
    }

    /// What clients call `shown_as`. Waits a little for servers that could have a better claim
    /// and were not tried since the start.
    pub async fn resolve(&self, shown_as: &str) -> Resolved {
        let deadline = Instant::now() + FIRST_VISITS;
        let mut tried = self.0.table.tried();
        loop {
            let so_far = match self.0.table.find(shown_as) {
                Found::Now(resolved) => return resolved,
                Found::SoFar(resolved) => resolved,
            };
            if !matches!(timeout_at(deadline, tried.changed()).await, Ok(Ok(()))) {
                return so_far;
            }
        }
    }

    /// Returns when every server was tried once, whether it answered or not; at most 5 s later.
    pub async fn tried_once(&self) {
        let mut tried = self.0.table.tried();
        let trying = tried.wait_for(|_| self.0.table.all_tried());
        let _ = tokio::time::timeout(FIRST_VISITS, trying).await; // readiness does not hang on a dead server
    }

    /// The servers as status shows them, in the order of their names.
    pub fn servers(&self) -> Vec<ServerReport> {
        self.0.table.servers()
    }

    /// How many tools each entry of `webhookTools` matches.
    pub fn webhook_tools(&self) -> Vec<WebhookToolStatus> {
        self.0.table.webhook_tools()
    }

    /// The instructions of the servers that are there, each under the server's name; at most 16 KiB.
    pub fn instructions(&self) -> Option<String> {
        let said = self.0.table.instructions().into_iter();
        let mut text = said
            .map(|(name, said)| format!("# {name}\n{said}"))
            .collect::<Vec<_>>()
            .join("\n\n");
        text.truncate(text.floor_char_boundary(MAX_INSTRUCTIONS));
        Some(text).filter(|text| !text.is_empty())
    }

    fn snapshot(&self) -> (Arc<Config>, Arc<Index>) {
        self.0.table.snapshot()
    }

    fn may_answer(&self, server: &str) -> bool {
        self.0.table.may_answer(server)
    }

    fn lines(&self) -> &Lines {
        &self.0.lines
    }

    fn cursors(&self) -> &Cursors {
        &self.0.cursors
    }

    fn directory(&self) -> &Directory {
        self.0.table.directory()
    }

    /// Whether the server has a list of this kind; `None` of one that never answered. Tools are asked for in any case.
    fn may_list(&self, server: &str, kind: Kind) -> Option<bool> {
        match kind {
            Kind::Tools => Some(true),
            kind => Some(self.directory().offers(server)?.lists(kind)),
        }
    }

    fn list_again(&self, server: &str) {
        self.0.watched.list_again(server);
    }
}

impl Watched {
    /// Ends the watches of servers that left or changed, begins those of new ones.
    fn follow(&self, upstreams: &Upstreams, table: &Arc<Table>) {
        let servers = upstreams.all();
        let mut watched = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        watched.retain(|_, watching| servers.iter().any(|server| server.is(&watching.upstream)));
        for upstream in servers {
            if !watched.contains_key(upstream.name()) {
                let watching = Watching::begin(&upstream, table);
                watched.insert(upstream.name().to_owned(), watching);
            }
        }
    }

    fn list_again(&self, server: &str) {
        let watched = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(watching) = watched.get(server) {
            watching.list_again.notify_one();
        }
    }
}

impl Watching {
    fn begin(upstream: &Upstream, table: &Arc<Table>) -> Self {
        let list_again = Arc::new(Notify::new());
        let watch = Watch {
            upstream: upstream.clone(),
            table: table.clone(),
            list_again: list_again.clone(),
        };
        let ended = CancellationToken::new();
        tokio::spawn(watch.run(ended.clone()));
        Self {
            upstream: upstream.clone(),
            list_again,
            _ends_the_watch: ended.drop_guard(),
        }
    }
}
