//! The catalogue's memory: what each server listed last, who owns which name, who is there.
//!
//! Watches write it, calls and status read it. Invariant: a server's list stands until that
//! server was listed again, however long it is away; only the route takes it out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asyncmcp_crds::ServerReport;
use asyncmcp_crds::v1alpha1::{ServerState, WebhookToolStatus};
use asyncmcp_protocol::offers::Offers;
use tokio::sync::watch;

use super::Resolved;
use super::defects::Defects;
use super::directory::{Directory, Fetched};
use super::fetch::List;
use super::health::Health;
use super::index::{Index, Listed, possible_claim};
use crate::config::Config;
use crate::servers::Error;
use crate::servers::lines::About;

/// The whole memory.
pub(super) struct Table {
    facts: Mutex<Facts>,
    /// What they list beside tools.
    directory: Directory,
    /// Counts the visits that were some server's first.
    tried: watch::Sender<usize>,
    /// Counts the times that what clients see changed.
    changes: watch::Sender<u64>,
}

struct Facts {
    config: Arc<Config>,
    lists: BTreeMap<String, Vec<Listed>>,
    index: Arc<Index>,
    tried: BTreeSet<String>,
    health: BTreeMap<String, Health>,
    about: BTreeMap<String, About>,
    defects: BTreeMap<String, Defects>,
}

/// What the table knows about a name.
pub(super) enum Found {
    /// This, and nothing that is still to come would change it.
    Now(Resolved),
    /// This, unless a server that was not tried yet claims the name.
    SoFar(Resolved),
}

impl Table {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let facts = Facts {
            config,
            lists: BTreeMap::new(),
            index: Arc::default(),
            tried: BTreeSet::new(),
            health: BTreeMap::new(),
            about: BTreeMap::new(),
            defects: BTreeMap::new(),
        };
        Self {
            facts: Mutex::new(facts),
            directory: Directory::default(),
            tried: watch::Sender::new(0),
            changes: watch::Sender::new(0),
        }
    }

    /// A notification of each server's first visit.
    pub(super) fn tried(&self) -> watch::Receiver<usize> {
        self.tried.subscribe()
    }

    /// A notification of each change of what clients see.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What servers list beside tools.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The route changed.
    pub(super) fn follow(&self, config: &Arc<Config>) {
        self.directory.follow(&config.route);
        self.change(|facts| {
            let names: BTreeSet<_> = config
                .route
                .servers
                .iter()
                .map(|server| server.name.as_str())
                .collect();
            facts.lists.retain(|name, _| names.contains(name.as_str()));
            facts.tried.retain(|name| names.contains(name.as_str()));
            facts.health.retain(|name, _| names.contains(name.as_str()));
            facts.about.retain(|name, _| names.contains(name.as_str()));
            facts.defects.retain(|name, _| names.contains(name.as_str()));
            facts.config = Arc::clone(config);
        });
        self.tried.send_modify(|_| ()); // a server that nobody waits for any more
    }

    /// A server answered with its list of tools.
    pub(super) fn listed(&self, name: &str, about: About, list: List) {
        let tools = list
            .entries
            .into_iter()
            .map(|tool| Listed::of(&tool.into()))
            .collect();
        self.visited(name, |facts| {
            facts.lists.insert(name.to_owned(), tools);
            facts.about.insert(name.to_owned(), about);
            facts.note(name, list.defects);
            facts.record(name, ServerState::Ready, None);
        });
    }

    /// The same server answered with its other lists.
    pub(super) fn listed_others(&self, name: &str, offers: Offers, others: Vec<Fetched>) {
        let facts = self.lock();
        if facts
            .config
            .route
            .servers
            .iter()
            .any(|server| server.name == name)
        {
            self.directory.listed(name, offers, others);
        }
    }

    /// A server answered a ping.
    pub(super) fn answered(&self, name: &str) {
        self.visited(name, |facts| facts.record(name, ServerState::Ready, None));
    }

    /// A visit failed.
    pub(super) fn failed(&self, name: &str, error: &Error) {
        let state = if error.is_rejection() {
            ServerState::Rejected
        } else {
            ServerState::Unreachable
        };
        self.directory.visited(name);
        self.visited(name, |facts| facts.record(name, state, Some(error.to_string())));
    }

    /// The route and its index, of one moment.
    pub(super) fn snapshot(&self) -> (Arc<Config>, Arc<Index>) {
        let facts = self.lock();
        (facts.config.clone(), facts.index.clone())
    }

    /// Whether a list should wait for this server.
    pub(super) fn may_answer(&self, name: &str) -> bool {
        self.lock().may_answer(name)
    }

    /// Whether every server was visited at least once.
    pub(super) fn all_tried(&self) -> bool {
        let facts = self.lock();
        facts
            .config
            .route
            .servers
            .iter()
            .all(|server| facts.tried.contains(&server.name))
    }

    /// Whom a name belongs to.
    pub(super) fn find(&self, shown_as: &str) -> Found {
        let facts = self.lock();
        let found = facts.index.get(shown_as);
        let claims = facts.config.route.servers.iter().filter_map(|server| {
            let claim = possible_claim(server, shown_as)?;
            let better = found.is_none_or(|(_, owner)| claim > *owner);
            better.then_some(server.name.as_str())
        });
        let claims: Vec<_> = claims
            .filter(|server| !facts.lists.contains_key(*server))
            .collect();
        let resolved = match (found, claims.iter().min()) {
            (Some((tool, _)), _) => Resolved::Tool(tool.clone()),
            (None, Some(server)) => Resolved::Unavailable {
                server: (*server).to_owned(),
            },
            (None, None) => Resolved::Unknown,
        };
        if claims.iter().all(|server| facts.tried.contains(*server)) {
            Found::Now(resolved)
        } else {
            Found::SoFar(resolved)
        }
    }

    /// The servers for status, in the order of their names.
    pub(super) fn servers(&self) -> Vec<ServerReport> {
        let facts = self.lock();
        let names: BTreeSet<_> = facts
            .config
            .route
            .servers
            .iter()
            .map(|server| &server.name)
            .collect();
        let report = |name: &String| facts.report(name, self.directory.complaint(&facts.config.route, name));
        names.into_iter().map(report).collect()
    }

    /// The entries of `webhookTools` for status, in the order of the route.
    pub(super) fn webhook_tools(&self) -> Vec<WebhookToolStatus> {
        let facts = self.lock();
        let entries = facts
            .config
            .route
            .webhook_tools
            .iter()
            .map(|entry| WebhookToolStatus {
                name: entry.name.as_str().to_owned(),
                matched: i32::try_from(facts.index.matched(entry)).unwrap_or(i32::MAX),
            });
        entries.collect()
    }

    /// Each server's name and instructions, where it has any.
    pub(super) fn instructions(&self) -> Vec<(String, String)> {
        let facts = self.lock();
        let said = facts.about.iter().filter(|(name, _)| facts.may_answer(name));
        said.filter_map(|(name, about)| Some((name.clone(), about.instructions.clone()?)))
            .collect()
    }

    /// Records the outcome of a visit. Waiters are notified after that.
    fn visited(&self, name: &str, learn: impl FnOnce(&mut Facts)) {
        let mut first = false;
        self.change(|facts| {
            if facts
                .config
                .route
                .servers
                .iter()
                .any(|server| server.name == name)
            {
                first = facts.tried.insert(name.to_owned());
                learn(facts);
            }
        });
        if first {
            self.tried.send_modify(|count| *count += 1);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.lock();
        let (before, seen) = (facts.index.clone(), facts.seen());
        change(&mut facts);
        facts.index = Arc::new(Index::build(&facts.config.route, &facts.lists));
        let now = facts.seen();
        let changed = before.view(|name| seen.contains(name)) != facts.index.view(|name| now.contains(name));
        drop(facts);
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn record(&mut self, name: &str, state: ServerState, message: Option<String>) {
        let health = self.health.entry(name.to_owned()).or_default();
        if health.record(state, message) {
            // A field called `message` would replace the line's own text.
            let detail = health.message().unwrap_or_default();
            tracing::info!(server = name, ?state, detail, "a server's state changed");
        }
    }

    /// Keeps what is wrong with a server's list; says it once.
    fn note(&mut self, name: &str, defects: Defects) {
        if self.defects.get(name) == Some(&defects) {
            return;
        }
        self.defects.insert(name.to_owned(), defects);
        if let Some(detail) = self.complaint(name) {
            tracing::warn!(
                server = name,
                detail,
                "a server's list of tools is not as it should be"
            );
        }
    }

    fn complaint(&self, name: &str) -> Option<String> {
        let mut servers = self.config.route.servers.iter();
        let server = servers.find(|server| server.name == name)?;
        self.defects.get(name)?.complaint(server)
    }

    fn may_answer(&self, name: &str) -> bool {
        self.health.get(name).is_none_or(Health::may_answer)
    }

    /// The servers whose tools clients see.
    fn seen(&self) -> BTreeSet<String> {
        self.lists
            .keys()
            .filter(|name| self.may_answer(name))
            .cloned()
            .collect()
    }

    fn report(&self, name: &str, of_others: Option<String>) -> ServerReport {
        let health = self.health.get(name).cloned().unwrap_or_default();
        let tools: Vec<_> = self.index.of(name).collect();
        let by_webhook = tools.iter().filter(|tool| tool.webhook.is_some()).count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        ServerReport {
            name: name.to_owned(),
            state: health.state(),
            protocol_version: self.about.get(name).map(|about| about.version.to_string()),
            tools: count(tools.len()),
            webhook_tools: count(by_webhook),
            message: health.message().map(str::to_owned).or_else(|| {
                let complaints = [self.complaint(name), self.index.complaint(name), of_others];
                let complaints: Vec<_> = complaints.into_iter().flatten().collect();
                Some(complaints.join("; ")).filter(|text| !text.is_empty())
            }),
        }
    }
}
