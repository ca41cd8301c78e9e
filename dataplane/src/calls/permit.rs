//! Whether a caller's credentials cover a tool.
//!
//! [`super::call`] asks before a call, [`super::tasks`] before anything is said of one. Invariant: where they do not, the client
//! is told so by the HTTP status also in a session, where any other refusal has status 200: stock clients get a token with
//! more scopes for a 403 and ask again (MCP 2025-11-25, "Scope Challenge Handling").

use super::Context;
use crate::auth::metadata;
use crate::caller::respond::access::Refusal;
use crate::servers::catalogue::scopes;

/// The refusal, where the caller lacks a scope that the tool `shown_as` of `server` needs.
pub(super) fn permit(context: &Context, server: &str, shown_as: &str) -> Result<(), Refusal> {
    let route = &context.config.route;
    let needed = scopes::needed(route, server, shown_as);
    let grants = &context.caller.grants;
    if grants.cover(needed.iter()) {
        return Ok(());
    }
    Err(grants.refusal(&needed, metadata::scopes(route)))
}
