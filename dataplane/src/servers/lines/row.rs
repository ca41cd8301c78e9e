//! What the store remembers of a client's session, so that a restarted data plane continues
//! the servers' sessions instead of opening them again.
//!
//! [`super::entry`] reads and writes it. Invariant: at most [`MAX_BYTES`]; what does not fit
//! is forgotten, never refused, but a revocation and what the client set always fit.

use std::collections::{BTreeMap, BTreeSet};

use asyncmcp_protocol::Version;
use asyncmcp_protocol::log::Level;
use asyncmcp_protocol::subscriptions::MAX_URIS;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::servers::{ServerSession, Upstream};

/// The most that a store keeps for a session.
const MAX_BYTES: usize = 16 << 10;
/// The most of it that the URIs of subscriptions take: in JSON, where each has a server's name beside it and its characters
/// may be escaped, they fit.
const MAX_URIS_BYTES: usize = 4 << 10;

/// The row's meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    /// The client ended its session.
    #[serde(default)]
    pub(super) revoked: bool,
    /// The log messages that the client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    /// The resources that the client subscribed to: by URI, the server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    subscriptions: BTreeMap<String, String>,
    #[serde(default)]
    servers: BTreeMap<String, Known>,
}

/// A server's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    id: String,
    version: String,
    /// Counts the sessions that this client had on this server.
    generation: u64,
}

impl Row {
    /// Reads a row; one that cannot be read counts as empty.
    pub(super) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// The bytes to keep.
    pub(super) fn write(&self) -> Bytes {
        let bytes = self.to_json();
        if bytes.len() <= MAX_BYTES {
            return bytes.into();
        }
        let rest = Self {
            servers: BTreeMap::new(),
            ..self.clone()
        };
        rest.to_json().into()
    }

    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers serialise")
    }

    /// The session on `upstream` that is remembered.
    pub(super) fn session(&self, upstream: &Upstream) -> Option<ServerSession> {
        let known = self.servers.get(upstream.name())?;
        upstream.remembered(&known.id, Version::parse(&known.version)?)
    }

    /// The log messages that the client asked for.
    pub(super) fn level(&self) -> Option<Level> {
        Level::parse(self.level.as_deref()?)
    }

    /// The client asked for these log messages.
    pub(super) fn set_level(&mut self, level: Level) {
        self.level = Some(level.name().to_owned());
    }

    /// Whether the client may subscribe to this resource as well.
    pub(super) fn has_room_for(&self, uri: &str) -> bool {
        if self.subscriptions.contains_key(uri) {
            return true;
        }
        let taken: usize = self.subscriptions.keys().map(String::len).sum();
        self.subscriptions.len() < MAX_URIS && taken + uri.len() <= MAX_URIS_BYTES
    }

    /// The client subscribed to this resource on `server`.
    pub(super) fn subscribe(&mut self, uri: &str, server: &str) {
        if self.has_room_for(uri) {
            self.subscriptions.insert(uri.to_owned(), server.to_owned());
        }
    }

    /// The client ended its subscription.
    pub(super) fn unsubscribe(&mut self, uri: &str) {
        self.subscriptions.remove(uri);
    }

    /// The server on which the client subscribed to this resource.
    pub(super) fn subscribed_on(&self, uri: &str) -> Option<String> {
        self.subscriptions.get(uri).cloned()
    }

    /// What the client subscribed to, by server.
    pub(super) fn subscriptions(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut servers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (uri, server) in &self.subscriptions {
            servers.entry(server.clone()).or_default().insert(uri.clone());
        }
        servers
    }

    /// Remembers `session` in place of an older one. A server without sessions has nothing to remember.
    pub(super) fn remember(&mut self, session: &ServerSession) {
        let before = self.servers.remove(session.server());
        if let Some(id) = session.id() {
            let known = Known {
                id: id.to_owned(),
                version: session.version().to_string(),
                generation: before.map_or(1, |known| known.generation + 1),
            };
            self.servers.insert(session.server().to_owned(), known);
        }
    }

    /// Forgets these sessions, but none that took the place of one.
    pub(super) fn forget(&mut self, sessions: &[ServerSession]) {
        for session in sessions {
            let known = self.servers.get(session.server());
            if known.is_some_and(|known| Some(known.id.as_str()) == session.id()) {
                self.servers.remove(session.server());
            }
        }
    }

    /// The client ended its session; its servers' sessions are ended too.
    pub(super) fn revoke(&mut self) {
        self.revoked = true;
        self.subscriptions.clear();
        self.servers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str) -> Known {
        Known {
            id: id.to_owned(),
            version: "2025-11-25".to_owned(),
            generation: 3,
        }
    }

    #[test]
    fn reads_what_it_writes_and_what_a_newer_version_adds() {
        let row = Row {
            revoked: true,
            level: Some("notice".to_owned()),
            subscriptions: [("file:///x".to_owned(), "a".to_owned())].into(),
            servers: [("a".to_owned(), known("x"))].into(),
        };
        assert_eq!(Row::read(&row.write()), row);
        assert!(Row::read(br#"{"later":1,"revoked":true}"#).revoked);
        assert_eq!(Row::read(b"\xff"), Row::default());
    }

    #[test]
    fn forgets_what_does_not_fit_but_neither_a_revocation_nor_what_the_client_set() {
        let row = Row {
            revoked: true,
            level: Some("notice".to_owned()),
            subscriptions: [("file:///x".to_owned(), "a".to_owned())].into(),
            servers: (0..64)
                .map(|n| (format!("server-{n}"), known(&"x".repeat(300))))
                .collect(),
        };
        let bytes = row.write();
        assert!(bytes.len() <= MAX_BYTES);
        let kept = Row::read(&bytes);
        assert!(kept.revoked && kept.level() == Level::parse("notice"));
    }

    #[test]
    fn subscriptions_are_bounded_and_fit() {
        let mut row = Row::default();
        for n in 0..2 * MAX_URIS {
            row.subscribe(&format!("u:{n:04}"), "a");
        }
        assert_eq!(row.subscriptions()["a"].len(), MAX_URIS);
        assert!(row.has_room_for("u:0000") && !row.has_room_for("u:9999"));
        row.unsubscribe("u:0000");
        assert!(row.has_room_for("u:9999") && !row.has_room_for(&"u".repeat(MAX_URIS_BYTES)));

        let mut escaped = Row::default();
        let longest = "\u{1}".repeat(MAX_URIS_BYTES / MAX_URIS - 2);
        for n in 0..MAX_URIS {
            escaped.subscribe(&format!("{n:02}{longest}"), &"s".repeat(63));
        }
        assert_eq!(escaped.subscriptions.len(), MAX_URIS);
        escaped.set_level(Level::parse("emergency").unwrap());
        assert_eq!(Row::read(&escaped.write()), escaped, "it fits, escaped");
    }
}
