//! One dispatch of a job's call, or what is left of one, until the server's reply.
//!
//! Called by [`super::Runner`]. Invariant: from the moment a call is out there is a resume token to go on from,
//! if the server gives any; and a server is told when its work is not wanted any more.

use std::time::Duration;

use asyncmcp_delivery::engine::{ResumeTokens, Run};
use asyncmcp_protocol::tasks::{Status, Task};
use asyncmcp_protocol::{Id, Notification};
use tokio::time::timeout;
use tracing::Span;

use super::resume_token::{Place, ResumeToken};
use super::{FAREWELL, request, task};
use crate::upstream::{Error, Manner, Noted, Outgoing, Reply, ServerSession, TraceHeaders};

/// How much longer than the call may take a server is asked to keep its task: we may be away for a while.
const KEPT: Duration = Duration::from_hours(1);

/// Sends the call. When cancelled the server is told, and the call counts as cut.
pub(super) async fn send(session: &ServerSession, run: &Run<'_>, params: &[u8]) -> Result<Reply, Error> {
    let call = run.call;
    let stored = TraceHeaders::stored(&call.trace.parent, &call.trace.state);
    let within = stored.within(&Span::current());
    let as_task = call.as_task && session.offers_tasks();
    let task = as_task.then(|| call.timeout.saturating_add(KEPT));
    let request = request::request(call, params, (session.own_id(), task), &within);
    let request = request.map_err(|_| Error::Protocol("the accepted params cannot be read"))?;
    let manner = Manner {
        tool: Some(call.tool.clone()),
        trace: within,
        ..manner(session, run, &request.id)
    };
    let reply = tokio::select! {
        reply = session.call(&request, manner) => reply?,
        () = run.cancel.cancelled() => {
            say_cancelled(session, &request.id).await;
            return Err(Error::Interrupted);
        }
    };
    match begun(&reply).filter(|_| as_task) {
        Some(task) => follow(session, run, task).await,
        None => Ok(reply),
    }
}

/// Goes on with a call from where another process left it.
pub(super) async fn resume(session: &ServerSession, run: &Run<'_>, place: Place) -> Result<Reply, Error> {
    match place {
        Place::Task(id) => {
            let task = Task {
                id,
                status: Status::Working,
                poll_interval: Some(Duration::ZERO), // it may have ended long ago
            };
            follow(session, run, task).await
        }
        Place::Stream { request, event } => {
            let id = serde_json::from_str(&request)
                .ok()
                .and_then(|raw| Id::parse(raw).ok());
            let id = id.ok_or(Error::Protocol("the request id of a resume token cannot be read"))?;
            resume_stream(session, run, &id, &event).await
        }
    }
}

async fn resume_stream(session: &ServerSession, run: &Run<'_>, id: &Id, event: &str) -> Result<Reply, Error> {
    let reply = tokio::select! {
        reply = session.resume(id, event, manner(session, run, id)) => reply?,
        () = run.cancel.cancelled() => {
            say_cancelled(session, id).await;
            return Err(Error::Interrupted);
        }
    };
    // The stream may have been cut before it said which task the call had become.
    match begun(&reply).filter(|_| run.call.as_task) {
        Some(task) => follow(session, run, task).await,
        None => Ok(reply),
    }
}

fn begun(reply: &Reply) -> Option<Task> {
    match reply {
        Reply::Result(result) => Task::created(result),
        Reply::Error(_) => None,
    }
}

async fn follow(session: &ServerSession, run: &Run<'_>, task: Task) -> Result<Reply, Error> {
    let place = Place::Task(task.id.clone());
    run.tokens
        .keep_at_once(ResumeToken::new(session, place).to_bytes());
    let id = task.id.clone();
    tokio::select! {
        reply = task::follow(session, task, &run.room) => reply,
        () = run.cancel.cancelled() => {
            task::cancel(session, &id).await;
            Err(Error::Interrupted)
        }
    }
}

fn manner(session: &ServerSession, run: &Run<'_>, id: &Id) -> Manner {
    Manner {
        room: run.room.clone(),
        noted: Some(note(session.clone(), run.tokens.clone(), id)),
        ..Manner::default()
    }
}

/// Leaves a resume token with each event of the answer's stream.
fn note(session: ServerSession, tokens: ResumeTokens, id: &Id) -> Noted {
    let request = id.raw().get().to_owned();
    Box::new(move |event| {
        let place = Place::Stream {
            request: request.clone(),
            event: event.to_owned(),
        };
        tokens.keep(ResumeToken::new(&session, place).to_bytes());
    })
}

async fn say_cancelled(session: &ServerSession, id: &Id) {
    let told = Notification::cancelled(id, "the job was cancelled");
    let telling = session.post(Outgoing::new("notifications/cancelled", told.to_bytes()));
    if !matches!(timeout(FAREWELL, telling).await, Ok(Ok(_))) {
        tracing::debug!(
            server = session.server(),
            "a server could not be told that a call is cancelled"
        );
    }
}
