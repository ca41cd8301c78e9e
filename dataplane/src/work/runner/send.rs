//! One dispatch of a job's call, or what is left of one, until the server's reply.
//!
//! Called by [`super::Runner`]. Invariant: from the moment a call is sent there is a resume token for it, if the server
//! gives any; and a server is notified when its work is not wanted any more.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use asyncmcp_delivery::engine::{Room, Run};
use asyncmcp_protocol::tasks::{Status, Task};
use asyncmcp_protocol::{Id, Notification, Request};
use bytes::Bytes;
use tokio::time::timeout;
use tracing::Span;

use super::{NOTIFY_TIME, request, task};
use crate::caller::trace::TraceHeaders;
use crate::servers::lines::{Line, Place};
use crate::servers::{Error, Noted, Outgoing, Reply, RequestOptions};

/// How much longer than the call may take a server is asked to keep its task: we may be away for a while.
const KEPT: Duration = Duration::from_hours(1);

/// Sends the call. When cancelled the server is notified, and the call counts as interrupted.
pub(super) async fn send(line: &Line, run: &Run<'_>, params: Bytes) -> Result<Reply, Error> {
    let call = run.call;
    let within = TraceHeaders::of_stored(&call.trace).within(&Span::current());
    let as_task = call.as_task && until_cancelled(run, line.about()).await?.tasks;
    let task = as_task.then(|| call.timeout.saturating_add(KEPT));
    let request = request::request(call, &params, (line.own_id(), task), &within);
    let request = request.map_err(|_| Error::Protocol("the accepted params cannot be read"))?;
    let options = RequestOptions {
        tool: Some(call.tool.clone()),
        trace: within,
        ..options(line, run, &request.id)
    };
    let id = request.id.clone();
    let reply = tokio::select! {
        reply = dispatch(line, request, params, options) => reply?,
        () = run.cancel.cancelled() => {
            notify_cancelled(line, &id).await;
            return Err(Error::Interrupted);
        }
    };
    match begun(&reply).filter(|_| as_task) {
        Some(task) => follow(line, run, task).await,
        None => Ok(reply),
    }
}

/// Large arguments are sent by value, so that their memory is free once they are sent, also where the reply takes long.
async fn dispatch(
    line: &Line,
    request: Request,
    params: Bytes,
    options: RequestOptions,
) -> Result<Reply, Error> {
    if params.len() > Room::SMALL {
        line.request_once(request, params, options).await
    } else {
        line.request(&request, options).await
    }
}

/// Continues a call from where another process left it.
pub(super) async fn resume(line: &Line, run: &Run<'_>, place: Place) -> Result<Reply, Error> {
    match place {
        Place::Task(id) => {
            let task = Task {
                id,
                status: Status::Working,
                poll_interval: Some(Duration::ZERO), // it may have ended long ago
            };
            follow(line, run, task).await
        }
        Place::Stream { request, event } => {
            let id = serde_json::from_str(&request)
                .ok()
                .and_then(|raw| Id::parse(raw).ok());
            let id = id.ok_or(Error::Protocol("the request id of a resume token cannot be read"))?;
            resume_stream(line, run, &id, &event).await
        }
    }
}

async fn resume_stream(line: &Line, run: &Run<'_>, id: &Id, event: &str) -> Result<Reply, Error> {
    let reply = tokio::select! {
        reply = line.resume(id, event, options(line, run, id)) => reply?,
        () = run.cancel.cancelled() => {
            notify_cancelled(line, id).await;
            return Err(Error::Interrupted);
        }
    };
    // The stream may have been interrupted before it named the task that the call had become.
    match begun(&reply).filter(|_| run.call.as_task) {
        Some(task) => follow(line, run, task).await,
        None => Ok(reply),
    }
}

fn begun(reply: &Reply) -> Option<Task> {
    match reply {
        Reply::Result(result) => Task::created(result),
        Reply::Error(_) => None,
    }
}

async fn follow(line: &Line, run: &Run<'_>, task: Task) -> Result<Reply, Error> {
    let id = task.id.clone();
    if let Some(token) = line.token(Place::Task(id.clone())) {
        run.tokens.keep_at_once(token);
    }
    tokio::select! {
        reply = task::follow(line, task, &run.room) => reply,
        () = run.cancel.cancelled() => {
            task::cancel(line, &id).await;
            Err(Error::Interrupted)
        }
    }
}

fn options(line: &Line, run: &Run<'_>, id: &Id) -> RequestOptions {
    RequestOptions {
        room: run.room.clone(),
        noted: Some(note(line.clone(), run, id)),
        ..RequestOptions::default()
    }
}

/// Leaves a resume token with each event of the answer's stream.
fn note(line: Line, run: &Run<'_>, id: &Id) -> Noted {
    let (request, tokens) = (id.raw().get().to_owned(), run.tokens.clone());
    Arc::new(move |event| {
        let place = Place::Stream {
            request: request.clone(),
            event: event.to_owned(),
        };
        if let Some(token) = line.token(place) {
            tokens.keep(token);
        }
    })
}

async fn until_cancelled<T>(run: &Run<'_>, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let done = run.cancel.run_until_cancelled(work).await;
    done.unwrap_or(Err(Error::Interrupted))
}

async fn notify_cancelled(line: &Line, id: &Id) {
    let notification = Notification::cancelled(id, "the job was cancelled");
    let message = Outgoing::new("notifications/cancelled", notification.to_bytes());
    if !matches!(timeout(NOTIFY_TIME, line.notify(message)).await, Ok(Ok(()))) {
        tracing::debug!(
            server = line.server(),
            "failed to notify a server that a call is cancelled"
        );
    }
}
