//! `tools/call`: which tool it is, and which of two ways it goes.
//!
//! [`super::Context`] hands it each one. Invariant: a name that no catalogue holds reaches no
//! server, and nothing that a client asks of its delivery is ignored.

use asyncmcp_protocol::initialize::TASKS_EXTENSION;
use asyncmcp_protocol::tools::MAX_NAME;
use asyncmcp_protocol::version::Era;
use asyncmcp_protocol::{Id, Request};

use super::accept::Webhook;
use super::audit::{self, Decision};
use super::target::{Target, Tasks};
use super::{Context, forward, permit};
use crate::caller::Caller;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::server::Asked;
use crate::caller::respond::{Error, task};
use crate::servers::catalogue::{Resolved, Tool};

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
    if let Err(refusal) = permit::tool(context, &tool.server, &tool.shown_as) {
        operation.failed(refusal.error.reason());
        log(Decision::Refused(refusal.error.reason()));
        return Answer::Forbidden(refusal.into(), request.id);
    }
    let accepted = match Webhook::of(context, &tool, &request) {
        Ok(Some(webhook)) => Box::pin(webhook.accept(context, &request, &operation.trace())).await,
        Ok(None) => {
            log(Decision::Relayed);
            let target = target(&context.caller, &tool, &request);
            return forward::call(context, target, request, operation).await;
        }
        Err(error) => Err(error),
    };
    log(match &accepted {
        Ok(_) => Decision::Accepted,
        Err(error) => Decision::Refused(error.code().reason()),
    });
    accepted.unwrap_or_else(|error| refused(error, request.id, &mut operation))
}

/// A missing capability is told by the HTTP status, too.
fn refused(error: Error, id: Id, operation: &mut Operation) -> Answer {
    match error {
        Error::Task(task::Error::Undeclared(_)) => {
            operation.failed(error.code().reason());
            Answer::Forbidden(error, id)
        }
        error => Answer::refusal(&error, id, operation),
    }
}

/// Where an ordinary call goes. Whether it becomes a task there is for the server to decide, where the client knows tasks:
/// it declares the extension (2026-07-28) or asks for one (2025-11-25).
fn target(caller: &Caller, tool: &Tool, request: &Request) -> Target {
    let asks = || {
        request
            .params
            .as_ref()
            .is_some_and(|params| params.get("task").is_some())
    };
    let tasks = match caller.version.era() {
        Era::Modern if caller.capabilities.has(TASKS_EXTENSION) => Tasks::Welcome(tool.shown_as.clone()),
        Era::Legacy if caller.scope.is_some() && caller.version.has_requested_tasks() && asks() => {
            Tasks::Wanted(tool.shown_as.clone())
        }
        _ => Tasks::None,
    };
    Target::of_tool(tool).with(tasks)
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
