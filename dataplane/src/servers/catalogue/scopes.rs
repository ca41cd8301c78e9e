//! The scopes that a tool needs, by the route.
//!
//! Lists leave out what a caller lacks them for, and [`crate::calls`] refuses its calls. Invariant: one function decides for
//! both, so that a list shows what can be called.

use asyncmcp_crds::effective::Route;

use super::webhook;

/// The scopes that a call of the tool `shown_as` of `server` needs, all of them: those of the server's tools and those of
/// its entry in `webhookTools`.
pub(crate) fn needed(route: &Route, server: &str, shown_as: &str) -> Vec<String> {
    let server = route.servers.iter().find(|known| known.name == server);
    let mut needed = server.map_or_else(Vec::new, |server| server.scopes.clone());
    if let Some(entry) = webhook(route, shown_as) {
        needed.extend(entry.scopes);
    }
    needed
}
