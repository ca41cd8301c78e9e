//! One dispatch of a job's call, or what is left of one, until the server's reply.
//!
//! Called by [`super::Runner`]. Invariant: from the moment a call is sent there is a resume token for it, if the server
//! gives any; and a server is notified when its work is not wanted any more.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use asyncmcp_delivery::engine::{Room, Run};
use asyncmcp_protocol::tasks::{Task, extension};
use asyncmcp_protocol::{Era, Id, Notification, Request};
use bytes::Bytes;
use tokio::time::timeout;
use tracing::Span;

use super::task::{self, Begun, Followed};
use super::{NOTIFY_TIME, request, response};
use crate::caller::trace::TraceHeaders;
use crate::servers::lines::{self, About, Line, Place};
use crate::servers::{Error, Noted, Outgoing, Reply, RequestOptions};

/// How much longer than the call may take a server is asked to keep its task: we may be away for a while.
const KEPT: Duration = Duration::from_hours(1);

/// Sends the call. When cancelled the server is notified, and the call counts as interrupted.
pub(super) async fn send(line: &Line, run: &Run<'_>, params: Bytes) -> Result<Reply, Error> {
    let (other, kinds) = until_cancelled(run, fitting(line, run)).await?;
    let (line, call) = (other.as_ref().unwrap_or(line), run.call);
    let within = TraceHeaders::of_stored(&call.trace).within(&Span::current());
    let task = kinds.requested.then(|| call.timeout.saturating_add(KEPT));
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
    kinds.ended(line, run, reply).await
}

/// The line to send on, if it is another one, and what the call may become there. A server of both eras is used in a session,
/// but for a tool that can be a task where sessions know none.
async fn fitting(line: &Line, run: &Run<'_>) -> Result<(Option<Line>, Kinds), Error> {
    let about = line.about().await?;
    let kinds = Kinds::of(run, &about);
    if !run.call.as_task || kinds.requested || kinds.by_server {
        return Ok((None, kinds));
    }
    match lines::with_tasks(line.upstream()).await {
        Ok(None) => Ok((None, kinds)),
        Ok(other) => Ok((
            other,
            Kinds {
                by_server: true,
                ..kinds
            },
        )),
        // It answers nothing that it does not know, so it is called as it always was.
        Err(Error::NotOpened(cause)) if matches!(*cause, Error::Silent(_)) => Ok((None, kinds)),
        Err(error) => Err(error),
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
    let (request, event) = match place {
        Place::Stream { request, event } => (request, event),
        place => {
            let begun = Begun::earlier(place).expect("all but a stream is a task");
            return follow(line, run, begun).await;
        }
    };
    let id = serde_json::from_str(&request)
        .ok()
        .and_then(|raw| Id::parse(raw).ok());
    let id = id.ok_or(Error::Protocol("the request id of a resume token cannot be read"))?;
    resume_stream(line, run, &id, &event).await
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
    let kinds = Kinds {
        requested: run.call.as_task,
        by_server: false, // a modern server's stream cannot be resumed
    };
    kinds.ended(line, run, reply).await
}

/// What kinds of tasks the call may become.
#[derive(Clone, Copy)]
struct Kinds {
    /// Of 2025-11-25: the tool and its server offer them, and the call asks for one.
    requested: bool,
    /// Of the extension: a modern server chooses by itself.
    by_server: bool,
}

impl Kinds {
    fn of(run: &Run<'_>, server: &About) -> Self {
        Self {
            requested: run.call.as_task && server.tasks,
            by_server: server.version.era() == Era::Modern,
        }
    }

    /// The reply that the call ends with.
    async fn ended(self, line: &Line, run: &Run<'_>, reply: Reply) -> Result<Reply, Error> {
        match self.begun(&reply)? {
            Some(begun) => follow(line, run, begun).await,
            None => Ok(reply),
        }
    }

    fn begun(self, reply: &Reply) -> Result<Option<Begun>, Error> {
        let Reply::Result(result) = reply else {
            return Ok(None);
        };
        if self.by_server {
            let task = extension::created(result);
            let task = task.map_err(|_| Error::Protocol("a task that a call became cannot be read"))?;
            return Ok(task.map(Begun::by_server));
        }
        let task = Task::created(result).filter(|_| self.requested);
        Ok(task.map(Begun::requested))
    }
}

async fn follow(line: &Line, run: &Run<'_>, begun: Begun) -> Result<Reply, Error> {
    let id = begun.id().to_owned();
    if let Some(token) = line.token(begun.place()) {
        run.tokens.keep_at_once(token);
    }
    let followed = tokio::select! {
        followed = task::follow(line, begun, &run.room) => followed?,
        () = run.cancel.cancelled() => {
            task::cancel(line, &id).await;
            return Err(Error::Interrupted);
        }
    };
    Ok(match followed {
        Followed::Replied(reply) => reply,
        Followed::Cancelled => Reply::Error(response::cancelled_by_server(run.call)),
        Followed::Asks => {
            task::cancel(line, &id).await;
            Reply::Error(response::asking(run.call))
        }
    })
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
