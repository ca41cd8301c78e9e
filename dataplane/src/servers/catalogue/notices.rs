//! What a person should know about the catalogue: tools that no client can call, and names in the route that match nothing.
//!
//! [`super::state`] asks after each change. Invariant: nothing is said of tools that are not known yet.

use std::collections::{BTreeMap, BTreeSet};

use asyncmcp_crds::effective::{Route, Server};

use super::index::{Index, Listed};

/// Everything that is wrong at present, a sentence each.
pub(super) fn of(route: &Route, lists: &BTreeMap<String, Vec<Listed>>, index: &Index) -> BTreeSet<String> {
    let servers = route.servers.iter();
    let of_servers = servers.flat_map(|server| {
        let complaints = [index.complaint(&server.name), unmatched(server, lists)];
        let complaints = complaints.into_iter().flatten();
        complaints.map(|complaint| format!("server {}: {complaint}", server.name))
    });
    let is_whole = route
        .servers
        .iter()
        .all(|server| lists.contains_key(&server.name));
    let entries = route.webhook_tools.iter().filter(|_| is_whole);
    let idle = entries.filter(|entry| index.matched(entry) == 0).map(|entry| {
        let name = entry.name.as_str();
        format!("webhookTools: {name:?} matches no tool; names are as clients see them, with toolPrefix")
    });
    of_servers.chain(idle).collect()
}

/// Entries of `tools.include` that match none of the server's tools.
pub(super) fn unmatched(server: &Server, lists: &BTreeMap<String, Vec<Listed>>) -> Option<String> {
    let listed = lists.get(&server.name)?;
    let is_idle = |glob: &&asyncmcp_crds::Glob| !listed.iter().any(|tool| glob.matches(&tool.name));
    let idle: Vec<_> = server
        .include
        .iter()
        .filter(is_idle)
        .map(asyncmcp_crds::Glob::as_str)
        .collect();
    let names = idle.join(", ");
    (!idle.is_empty()).then(|| {
        format!(
            "tools.include matches none of its tools: {names}; names are the server's own, without toolPrefix"
        )
    })
}
