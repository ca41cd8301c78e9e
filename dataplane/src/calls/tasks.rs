//! `tasks/*`: what a client asks of a call that became a task.
//!
//! [`super::Context`] hands it each one. A task is a job of the gateway's or a task of a server's, and its id says which.
//! Invariant: to anybody but its own caller a task is one that does not exist; a client that cannot know tasks gets to know
//! of none.

mod job;
mod list;
mod server;

use asyncmcp_delivery::id::JobId;
use asyncmcp_protocol::initialize::TASKS_EXTENSION;
use asyncmcp_protocol::version::Era;
use asyncmcp_protocol::{Id, RawObject, Request};

use super::Context;
use super::task_ids::ServerTask;
use crate::caller::Caller;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::{Error, task};

const NO_ID: Error = Error::Params("params.taskId must be a string: the id of the task");

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// For every task of the caller (2025-11-25).
    List,
    One(OfTask),
}

/// What a client asks of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfTask {
    Get,
    /// Waits for the outcome (2025-11-25).
    Result,
    /// Answers what the task asks (2026-07-28).
    Update,
    Cancel,
}

/// Whether this is a method about tasks, offered or not.
pub(super) fn is_about(method: &str) -> bool {
    method.starts_with("tasks/")
}

/// Whether it is one that modern clients know.
pub(super) fn is_modern(method: &str) -> bool {
    matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel")
}

pub(super) async fn answer(context: &Context, request: Request, operation: Operation) -> Answer {
    let asks = match asks(&context.caller, &request.method) {
        Ok(asks) => asks,
        Err(error) => return refused(error, request.id, operation),
    };
    let answered = match (asks, task_id(&request)) {
        (Asks::List, _) => list::answer(context, &request).await,
        (Asks::One(_), None) => Err(NO_ID),
        (Asks::One(asks), Some(id)) => match id.parse::<JobId>() {
            Ok(job) => job::answer(context, (asks, job), &request).await,
            Err(_) => match server::find(context, &id) {
                Ok(task) => return server::relay(context, (task, &id), request, operation).await,
                Err(error) => Err(error),
            },
        },
    };
    answered.unwrap_or_else(|error| refused(error, request.id, operation))
}

/// A task of a caller.
pub(super) enum Found {
    Job(JobId),
    OfServer(ServerTask),
}

/// The task that the caller knows by this id.
pub(super) async fn find(context: &Context, id: &str) -> Result<Found, Error> {
    Ok(match id.parse::<JobId>() {
        Ok(id) => Found::Job(job::find(context, id).await?.id),
        Err(_) => Found::OfServer(server::find(context, id)?),
    })
}

/// What `tasks/get` says of a job.
pub(super) async fn detailed(context: &Context, id: JobId) -> Result<RawObject, Error> {
    let job = job::find(context, id).await?;
    job::get(context, &job).await
}

fn task_id(request: &Request) -> Option<String> {
    request.params.as_ref()?.text("taskId")
}

/// What the method asks, if it is offered to this caller. Lists need a principal: without one, a task is known by whoever
/// knows its id, and a list would tell ids.
fn asks(caller: &Caller, method: &str) -> Result<Asks, Error> {
    let era = caller.version.era();
    let asks = match (era, method) {
        (_, "tasks/get") => Asks::One(OfTask::Get),
        (_, "tasks/cancel") => Asks::One(OfTask::Cancel),
        (Era::Modern, "tasks/update") => Asks::One(OfTask::Update),
        (Era::Legacy, "tasks/result") => Asks::One(OfTask::Result),
        (Era::Legacy, "tasks/list") if caller.principal.is_some() => Asks::List,
        _ => return Err(Error::Method(method.to_owned())),
    };
    match era {
        Era::Legacy if !caller.version.has_requested_tasks() => Err(Error::Method(method.to_owned())),
        Era::Modern if !caller.capabilities.has(TASKS_EXTENSION) => {
            Err(task::Error::Undeclared(method.to_owned()).into())
        }
        _ => Ok(asks),
    }
}

/// By the HTTP status, too: clients read it where they lack a scope or a capability.
fn refused(error: Error, id: Id, mut operation: Operation) -> Answer {
    operation.failed(error.code().reason());
    match error {
        Error::Access(_) | Error::Task(task::Error::Undeclared(_)) => Answer::Forbidden(error, id),
        error => Answer::Json(error.to_response(Some(id))),
    }
}
