//! `tools/call`: which tool it is, and which of two ways it goes.
//!
//! [`super::Context`] hands it each one. Invariant: a name that no catalogue holds reaches no
//! server, and nothing that a client asks of its delivery is ignored.

use asyncmcp_protocol::Request;
use asyncmcp_protocol::tools::MAX_NAME;

use super::accept::Webhook;
use super::audit::{self, Decision};
use super::target::Target;
use super::{Context, forward, permit};
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;
use crate::caller::respond::access::Refusal;
use crate::caller::respond::server::Asked;
use crate::servers::catalogue::{Resolved, Tool, scopes};

/// Relays the call and its answer, or accepts it and lets the result go by webhook.
pub(super) async fn answer(context: &Context, request: Request, mut operation: Operation) -> Answer {
    let tool = match find(context, &request).await {
        Ok(tool) => tool,
        Err(error) => {
            audit::log(&context.caller, None, Decision::Refused(error.code().reason()));
            return Answer::refusal(&error, request.id, &mut operation);
        }
    };
    operation.calls(&tool.shown_as);
    let log = |decision| audit::log(&context.caller, Some(&tool.shown_as), decision);
    if let Err(refusal) = permit(context, &tool) {
        operation.failed(refusal.error.reason());
        log(Decision::Refused(refusal.error.reason()));
        return Answer::Forbidden(refusal.into(), request.id);
    }
    let accepted = match Webhook::of(context, &tool, &request) {
        Ok(Some(webhook)) => webhook.accept(context, &request, &operation.trace()).await,
        Ok(None) => {
            log(Decision::Relayed);
            return forward::call(context, Target::of_tool(&tool), request, operation).await;
        }
        Err(error) => Err(error),
    };
    log(match &accepted {
        Ok(_) => Decision::Accepted,
        Err(error) => Decision::Refused(error.code().reason()),
    });
    accepted.unwrap_or_else(|error| Answer::refusal(&error, request.id.clone(), &mut operation))
}

/// Whether the caller's credentials cover the tool.
fn permit(context: &Context, tool: &Tool) -> Result<(), Refusal> {
    let needed = scopes::needed(&context.config.route, &tool.server, &tool.shown_as);
    permit::check(context, &needed)
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
            asked: Asked::Tool,
            server,
        },
        _ => Error::Unavailable(server),
    }
}
