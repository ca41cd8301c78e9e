//! A server's own task: what a client asks about it goes to the server that runs it.
//!
//! Called by [`super`]. Invariant: the server gets its own id of the task, the client never sees it.

use asyncmcp_protocol::Request;

use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::{Error, task};
use crate::calls::target::Target;
use crate::calls::task_ids::ServerTask;
use crate::calls::{Context, forward, permit};

/// The task that the caller knows by this id.
pub(super) fn find(context: &Context, id: &str) -> Result<ServerTask, Error> {
    let unknown = || Error::Task(task::Error::Unknown(id.to_owned()));
    let task = context
        .calls
        .task_ids
        .open(&context.caller, id)
        .ok_or_else(unknown)?;
    let servers = &context.config.route.servers;
    if !servers.iter().any(|server| server.name == task.server) {
        return Err(unknown()); // it has left the route
    }
    permit::tool(context, &task.server, &task.tool)?;
    Ok(task)
}

/// Asks the server. What it answers is about `id` again.
pub(super) async fn relay(
    context: &Context,
    (task, id): (ServerTask, &str),
    request: Request,
    operation: Operation,
) -> Answer {
    forward::call(context, Target::of_task(&task, id), request, operation).await
}
