//! The list of tools that one client sees: what each server lists for that very client, under
//! the names and rules of the route.
//!
//! Called through [`super::Catalogue::list`]. Invariant: no name stands in it that a call would
//! take to another server, or that the client's credentials do not cover.

use std::collections::HashMap;
use std::time::Duration;

use asyncmcp_crds::effective::{Route, Server};
use asyncmcp_protocol::listing::Kind;
use asyncmcp_protocol::tools::Tool;

use super::answers::Unlisted;
use super::index::{Claim, Index, claim, webhook};
use super::{Catalogue, scopes};
use crate::caller::Caller;
use crate::caller::grants::Grants;

/// What one client sees.
#[derive(Debug)]
pub struct Listing {
    /// Each server's tools in its order, the servers in the order of their names.
    pub tools: Vec<Tool>,
    /// Whether every server that the caller may use is in it.
    pub is_whole: bool,
    /// How long it may be kept, if a server says.
    pub ttl: Option<Duration>,
    /// Whether a server lists it for this caller alone.
    pub is_private: bool,
}

impl Catalogue {
    /// The tools that `caller` sees. A server that does not answer is left out, or fails the list.
    pub async fn list(&self, caller: &Caller) -> Result<Listing, Unlisted> {
        let (config, index) = self.snapshot();
        let answers = self.ask_all(&config.route, caller, Kind::Tools).await?;
        let mut merging = Merging::new(&config.route, &index, caller);
        let (ttl, is_private) = (answers.ttl(), answers.is_private());
        for (server, list) in answers.lists {
            for tool in list.entries {
                merging.offer(server, tool.into());
            }
        }
        for server in &merging.unrouted {
            self.list_again(server);
        }
        Ok(Listing {
            is_whole: answers.is_whole,
            ttl,
            is_private,
            tools: merging.into_tools(),
        })
    }
}

/// The list being made.
struct Merging<'a> {
    route: &'a Route,
    index: &'a Index,
    grants: &'a Grants,
    /// Whether webhook tools say that they may be called as tasks.
    offers_tasks: bool,
    tools: Vec<Option<Tool>>,
    /// Where a name stands in `tools`, and by whose claim.
    places: HashMap<String, (usize, Claim)>,
    /// Servers that listed a tool which no call would find yet.
    unrouted: Vec<String>,
}

impl<'a> Merging<'a> {
    fn new(route: &'a Route, index: &'a Index, caller: &'a Caller) -> Self {
        Self {
            route,
            index,
            grants: &caller.grants,
            offers_tasks: caller.version.has_requested_tasks(),
            tools: Vec::new(),
            places: HashMap::new(),
            unrouted: Vec::new(),
        }
    }

    fn offer(&mut self, server: &Server, mut tool: Tool) {
        let Some((shown_as, claim)) = claim(server, tool.name()) else {
            return;
        };
        match self.index.get(&shown_as) {
            Some((owner, _)) if owner.server != server.name => return,
            Some(_) => {}
            None => self.unrouted.push(server.name.clone()),
        }
        let needed = scopes::needed(self.route, &server.name, &shown_as);
        if !self.grants.cover(needed.iter()) {
            return;
        }
        let place = self.tools.len();
        match self.places.get(&shown_as) {
            Some((_, better)) if *better >= claim => return,
            Some((worse, _)) => self.tools[*worse] = None,
            None => {}
        }
        tool.rename(&shown_as);
        if webhook(self.route, &shown_as).is_some() {
            tool.deliver_by_webhook();
            if self.offers_tasks {
                tool.offer_as_task();
            }
        }
        self.places.insert(shown_as, (place, claim));
        self.tools.push(Some(tool));
    }

    fn into_tools(self) -> Vec<Tool> {
        self.tools.into_iter().flatten().collect()
    }
}
