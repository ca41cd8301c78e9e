//! The catalogue's memory of what servers list beside tools: whose a prompt is, and who may read a URI.
//!
//! Watches write it, calls and lists read it. Invariant: a list stands until its server was listed again, however long that
//! server is away; only the route takes it out.

mod lists;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use asyncmcp_crds::effective::{Route, Server};
use asyncmcp_protocol::listing::Kind;
use asyncmcp_protocol::offers::Offers;
use tokio::sync::watch;

pub(super) use self::lists::Fetched;
use self::lists::Lists;
use super::index::more;

/// How many entries of a server are compared with those of the others, for people to see.
const MAX_COMPARED: usize = 256;
/// Longest name of a prompt, as clients see it.
const MAX_PROMPT: usize = 128;

/// What each server listed last.
#[derive(Default)]
pub(super) struct Directory {
    servers: Mutex<BTreeMap<String, Lists>>,
    /// The servers that answered or failed once, of those of the route.
    tried: watch::Sender<BTreeSet<String>>,
}

/// Whose something is, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner<T> {
    /// This server's.
    Known(T),
    /// Nobody's: every server that could have it was listed without it.
    Nobody,
    /// Perhaps of this server, which was never listed.
    Unavailable(String),
}

/// A prompt that clients can get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The server it is on.
    pub server: String,
    /// Its name there.
    pub name: String,
    /// Its name as clients see it.
    pub shown_as: String,
}

/// The servers that may know a URI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// Those that listed it, then those one of whose templates it comes of, the closest match first.
    pub named: Vec<String>,
    /// All others that have resources.
    pub others: Vec<String>,
    /// Servers that never said whether they have resources.
    pub unknown: Vec<String>,
}

impl Directory {
    /// The route changed.
    pub(super) fn follow(&self, route: &Route) {
        let names: BTreeSet<_> = route.servers.iter().map(|server| &server.name).collect();
        self.lock().retain(|name, _| names.contains(name));
        self.tried
            .send_modify(|tried| tried.retain(|name| names.contains(name)));
    }

    /// A notification of each server's first visit.
    pub(super) fn tried(&self) -> watch::Receiver<BTreeSet<String>> {
        self.tried.subscribe()
    }

    /// Whether the server answered or failed once.
    pub(super) fn was_tried(&self, server: &str) -> bool {
        self.tried.borrow().contains(server)
    }

    /// A server was visited, with or without success.
    pub(super) fn visited(&self, server: &str) {
        self.tried
            .send_if_modified(|tried| tried.insert(server.to_owned()));
    }

    /// A server answered. A list that could not be fetched stays as it was.
    pub(super) fn listed(&self, server: &str, offers: Offers, fetched: Vec<Fetched>) {
        let mut servers = self.lock();
        let lists = servers.entry(server.to_owned()).or_default();
        lists.take(offers, fetched);
        if let Some(detail) = lists.news() {
            tracing::warn!(server, detail, "a server's lists are not as they should be");
        }
        drop(servers);
        self.visited(server);
    }

    /// What the server offers; `None` of one that never answered.
    pub(super) fn offers(&self, server: &str) -> Option<Offers> {
        self.lock().get(server).map(|lists| lists.offers)
    }

    /// Whose the prompt `shown_as` is, of these servers in the order of their names.
    pub(super) fn prompt(&self, sorted: &[&Server], shown_as: &str) -> Owner<Prompt> {
        if !is_valid_prompt(shown_as) {
            return Owner::Nobody;
        }
        let servers = self.lock();
        let mut unlisted = None;
        for server in sorted {
            let Some(name) = prompt_name(server, shown_as) else {
                continue;
            };
            match servers.get(&server.name) {
                Some(lists) if lists.prompts.contains(name) => {
                    return Owner::Known(Prompt {
                        server: server.name.clone(),
                        name: name.to_owned(),
                        shown_as: shown_as.to_owned(),
                    });
                }
                Some(_) => {}
                None => unlisted = unlisted.or(Some(&server.name)),
            }
        }
        unlisted.map_or(Owner::Nobody, |server| Owner::Unavailable(server.clone()))
    }

    /// The servers that could have a better claim to the prompt than those that are known, and were never listed.
    pub(super) fn rivals(&self, sorted: &[&Server], shown_as: &str) -> Vec<String> {
        let servers = self.lock();
        let could = sorted.iter();
        let could = could.filter(|server| prompt_name(server, shown_as).is_some());
        let before = could.take_while(|server| {
            let name = prompt_name(server, shown_as).unwrap_or_default();
            servers
                .get(&server.name)
                .is_none_or(|lists| !lists.prompts.contains(name))
        });
        before
            .filter(|server| !servers.contains_key(&server.name))
            .map(|server| server.name.clone())
            .collect()
    }

    /// Who may read `uri`.
    pub(super) fn readers(&self, route: &Route, uri: &str) -> Readers {
        let servers = self.lock();
        let mut readers = Readers::default();
        let (mut exact, mut matching) = (Vec::new(), Vec::new());
        for server in sorted(route) {
            let name = server.name.clone();
            match servers.get(&name) {
                None => readers.unknown.push(name),
                Some(lists) if !lists.offers.resources => {}
                Some(lists) if lists.resources.contains(uri) => exact.push(name),
                Some(lists) => match lists.closest(uri) {
                    Some(literals) => matching.push((literals, name)),
                    None => readers.others.push(name),
                },
            }
        }
        matching.sort_by_key(|(literals, _)| std::cmp::Reverse(*literals)); // stable: else by name
        readers.named = exact;
        readers.named.extend(matching.into_iter().map(|(_, name)| name));
        readers
    }

    /// The server whose entry of this kind is shown and used, of those that have one with this key: the lexically first.
    pub(super) fn owner(&self, sorted: &[&Server], kind: Kind, key: &str) -> Option<String> {
        let servers = self.lock();
        let owner = sorted.iter().find(|server| {
            let lists = servers.get(&server.name);
            lists.is_some_and(|lists| lists.has(kind, key))
        });
        owner.map(|server| server.name.clone())
    }

    /// What is wrong with what `server` lists, in sentences.
    pub(super) fn complaint(&self, route: &Route, server: &str) -> Option<String> {
        let server = route.servers.iter().find(|known| known.name == server)?;
        let complaint = self.lock().get(&server.name)?.complaint(server);
        let hidden = [Kind::Prompts, Kind::Resources, Kind::Templates];
        let hidden = hidden
            .into_iter()
            .filter_map(|kind| self.hidden(route, server, kind));
        let all: Vec<_> = complaint.into_iter().chain(hidden).collect();
        Some(all.join("; ")).filter(|text| !text.is_empty())
    }

    /// Which entries of `server` are not shown since another server has the same.
    fn hidden(&self, route: &Route, server: &Server, kind: Kind) -> Option<String> {
        let servers = self.lock();
        let mine = servers.get(&server.name)?;
        let (mut first, mut count) = (None, 0);
        let before = sorted(route)
            .into_iter()
            .take_while(|other| other.name != server.name);
        let before: Vec<_> = before
            .filter_map(|other| Some((other, servers.get(&other.name)?)))
            .collect();
        for key in mine.keys(kind).into_iter().take(MAX_COMPARED) {
            let shown = shown_as(server, kind, key);
            let owner = before
                .iter()
                .find(|(other, lists)| key_of(other, kind, &shown).is_some_and(|key| lists.has(kind, key)));
            if let Some((owner, _)) = owner {
                count += 1;
                first = first.or(Some((shown, owner.name.clone())));
            }
        }
        let (key, owner) = first?;
        let (noun, more) = (kind.noun(), more(count));
        let remedy = if kind == Kind::Prompts {
            "; set toolPrefix"
        } else {
            ""
        };
        Some(format!(
            "{noun} {key:?}{more} is hidden by server {owner}, which has the same{remedy}"
        ))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Lists>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The servers in the order of their names.
pub(super) fn sorted(route: &Route) -> Vec<&Server> {
    let mut servers: Vec<_> = route.servers.iter().collect();
    servers.sort_by(|one, other| one.name.cmp(&other.name));
    servers
}

/// The name under which clients see an entry.
pub(super) fn shown_as(server: &Server, kind: Kind, key: &str) -> String {
    match kind {
        Kind::Tools | Kind::Prompts => format!("{}{key}", server.tool_prefix),
        Kind::Resources | Kind::Templates => key.to_owned(),
    }
}

/// The key that `server` would have for what clients see as `shown`.
fn key_of<'a>(server: &Server, kind: Kind, shown: &'a str) -> Option<&'a str> {
    match kind {
        Kind::Tools | Kind::Prompts => shown.strip_prefix(server.tool_prefix.as_str()),
        Kind::Resources | Kind::Templates => Some(shown),
    }
}

/// The name that `server` would have for the prompt `shown_as`.
fn prompt_name<'a>(server: &Server, shown_as: &'a str) -> Option<&'a str> {
    shown_as.strip_prefix(server.tool_prefix.as_str())
}

/// Whether clients may be shown a prompt of this name. Unlike tools', it is for people and may have spaces.
pub(super) fn is_valid_prompt(shown_as: &str) -> bool {
    (1..=MAX_PROMPT).contains(&shown_as.len()) && !shown_as.chars().any(char::is_control)
}
