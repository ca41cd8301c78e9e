//! `tools/call`: which tool it is, and which of two ways it goes.
//!
//! [`super::Context`] hands it each one. Invariant: a name that no catalogue holds reaches no
//! server, and nothing that a client asks of its delivery is ignored.

use asyncmcp_protocol::Request;
use asyncmcp_protocol::tools::MAX_NAME;

use super::accept::Webhook;
use super::{Context, forward};
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;
use crate::servers::catalogue::{Resolved, Tool};

/// Relays the call and its answer, or accepts it and lets the result go by webhook.
pub(super) async fn answer(context: &Context, request: Request, mut operation: Operation) -> Answer {
    let id = request.id.clone();
    let tool = match find(context, &request).await {
        Ok(tool) => tool,
        Err(error) => return Answer::refusal(&error, id, &mut operation),
    };
    operation.calls(&tool.shown_as);
    match Webhook::of(context, &tool, &request) {
        Err(error) => Answer::refusal(&error, id, &mut operation),
        Ok(None) => forward::call(context, tool, request, operation).await,
        Ok(Some(webhook)) => {
            let accepted = webhook.accept(context, &request, &operation.trace()).await;
            accepted.unwrap_or_else(|error| Answer::refusal(&error, id, &mut operation))
        }
    }
}

async fn find(context: &Context, request: &Request) -> Result<Tool, Error> {
    if context.config.route.deleting {
        return Err(Error::Closing);
    }
    let name = request.tool_name();
    let name = name.ok_or(Error::Params("params.name must be a string: the tool to call"))?;
    if name.len() > MAX_NAME {
        return Err(Error::UnknownTool(name)); // no catalogue has one, and none should compare it
    }
    match context.calls.catalogue.resolve(&name).await {
        Resolved::Tool(tool) => Ok(tool),
        Resolved::Unknown => Err(Error::UnknownTool(name)),
        Resolved::Unavailable { server } => Err(unavailable(context, server)),
    }
}

/// Why nothing is known of a server's tools.
fn unavailable(context: &Context, server: String) -> Error {
    let line = context.calls.lines.of(&context.caller, &server);
    match line.map(|line| line.upstream().check_access()) {
        Ok(Err(error)) => Error::Server {
            failure: error.failure(),
            server,
        },
        _ => Error::Unavailable(server),
    }
}
