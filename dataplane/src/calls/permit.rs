//! Whether a caller's credentials cover what it asks of a server.
//!
//! Asked before anything goes to the server. Invariant: where they do not, the client gets HTTP status 403 also in a session,
//! where any other refusal has status 200: stock clients get a token with more scopes for a 403 and ask again (MCP
//! 2025-11-25, "Scope Challenge Handling").

use asyncmcp_crds::effective::Route;

use super::Context;
use crate::auth::metadata;
use crate::caller::respond::access::Refusal;
use crate::servers::catalogue::scopes;

/// Whether they cover these scopes.
pub(super) fn check(context: &Context, needed: &[String]) -> Result<(), Refusal> {
    let grants = &context.caller.grants;
    if grants.cover(needed.iter()) {
        return Ok(());
    }
    Err(grants.refusal(needed, metadata::scopes(&context.config.route)))
}

/// Whether they cover the server's prompts, resources and completions: what its tools need.
pub(super) fn server(context: &Context, server: &str) -> Result<(), Refusal> {
    check(context, scopes_of(&context.config.route, server))
}

/// Whether they cover the tool `shown_as` of the server.
pub(super) fn tool(context: &Context, server: &str, shown_as: &str) -> Result<(), Refusal> {
    check(context, &scopes::needed(&context.config.route, server, shown_as))
}

fn scopes_of<'a>(route: &'a Route, server: &str) -> &'a [String] {
    let server = route.servers.iter().find(|known| known.name == server);
    server.map_or(&[], |server| &server.scopes)
}
