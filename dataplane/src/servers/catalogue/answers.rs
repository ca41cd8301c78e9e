//! What the servers of a route list for one caller, all asked at the same time.
//!
//! The lists of tools and of prompts are merged of it. Invariant: a server that is away, slow or broken is left out and
//! costs the others nothing but the time that one may take,
//! unless the route says that it fails the list.

use std::time::Duration;

use asyncmcp_crds::effective::{Route, Server};
use asyncmcp_crds::v1alpha1::FailureMode;
use asyncmcp_protocol::listing::Kind;
use futures::future::join_all;

use super::Catalogue;
use super::cursor::Foreign;
use super::fetch::{self, List};
use crate::caller::Caller;

/// The lists of the servers that answered, in the order of their names.
pub(super) struct Answers<'a> {
    pub(super) lists: Vec<(&'a Server, List)>,
    /// Whether every server that the caller may use, and that has such a list, is in it.
    pub(super) is_whole: bool,
}

impl Answers<'_> {
    /// How long the lists may be kept, if a server says.
    pub(super) fn ttl(&self) -> Option<Duration> {
        self.lists.iter().filter_map(|(_, list)| list.ttl).min()
    }

    /// Whether a server lists for this caller alone.
    pub(super) fn is_private(&self) -> bool {
        self.lists.iter().any(|(_, list)| list.is_private)
    }
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlisted {
    /// The cursor is of another list or caller.
    #[error(transparent)]
    Cursor(#[from] Foreign),
    /// The route would rather have no list than one without this server.
    #[error("server {server:?} is missing")]
    Incomplete {
        /// Its name.
        server: String,
    },
}

impl Unlisted {
    /// What follows where `server` is missing in a list; the list is not whole if it goes on.
    pub(super) fn without(server: &Server) -> Result<(), Self> {
        match server.failure_mode {
            FailureMode::FailOpen => Ok(()),
            FailureMode::FailClosed => Err(Self::Incomplete {
                server: server.name.clone(),
            }),
        }
    }
}

impl Catalogue {
    /// Asks every server that may answer, and that the caller may use, for its list.
    pub(super) async fn ask_all<'a>(
        &self,
        route: &'a Route,
        caller: &Caller,
        kind: Kind,
    ) -> Result<Answers<'a>, Unlisted> {
        let open = open_to(route, caller);
        let (asked, missing): (Vec<_>, Vec<_>) = open
            .into_iter()
            .filter(|server| self.may_list(&server.name, kind) != Some(false))
            .partition(|server| self.may_list(&server.name, kind).is_some() && self.may_answer(&server.name));
        missing.iter().try_for_each(|server| Unlisted::without(server))?;
        let asking = asked.iter().map(|server| self.ask(caller, server, kind));
        let lists = join_all(asking).await;
        let is_whole = missing.is_empty() && lists.iter().all(Option::is_some);
        let mut answers = Answers {
            lists: Vec::new(),
            is_whole,
        };
        for (server, list) in asked.into_iter().zip(lists) {
            match list {
                Some(list) => answers.lists.push((server, list)),
                None => Unlisted::without(server)?,
            }
        }
        Ok(answers)
    }

    async fn ask(&self, caller: &Caller, server: &Server, kind: Kind) -> Option<List> {
        let list = fetch::for_caller(self.lines(), (caller, server), kind).await;
        list.inspect_err(|error| {
            tracing::info!(server = server.name, list = kind.method(), %error, "a list leaves a server out");
        })
        .ok()
    }
}

/// The servers whose scopes the caller has, in the order of their names.
pub(super) fn open_to<'a>(route: &'a Route, caller: &Caller) -> Vec<&'a Server> {
    let is_open = |server: &&Server| caller.grants.cover(server.scopes.iter());
    let mut open: Vec<_> = route.servers.iter().filter(is_open).collect();
    open.sort_by(|one, other| one.name.cmp(&other.name));
    open
}
