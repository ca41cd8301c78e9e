//! A server's task, followed to its end: of MCP 2025-11-25 ("Tasks"), or of the extension for 2026-07-28.
//!
//! [`super::send`] follows the task that a call began, or that an earlier process knew. Invariant: a task
//! was begun, so no error from here means that nothing was dispatched; a server that cannot be asked for a while is asked
//! again, for a bounded time.

use std::time::Duration;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::tasks::extension::{self, Polled};
use asyncmcp_protocol::tasks::{self, Status, Task};
use asyncmcp_protocol::{Outcome, RawValue, Request};
use tokio::time::{Instant, sleep, timeout};

use super::NOTIFY_TIME;
use crate::servers::lines::{Line, Place};
use crate::servers::{Error, Reply, RequestOptions};

/// Between two polls where the server names no interval.
const INTERVAL: Duration = Duration::from_secs(1);
/// A server's interval is honoured between these.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);
/// How long a server may be unreachable before its task counts as lost.
const PATIENCE: Duration = Duration::from_mins(10);

/// A task that a call became.
pub(super) struct Begun {
    task: Task,
    form: Form,
}

/// By what revision of MCP it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// 2025-11-25: `tasks/result` brings the outcome.
    Requested,
    /// The extension for 2026-07-28: `tasks/get` brings it.
    Extension,
}

/// How a task ended.
pub(super) enum Followed {
    Replied(Reply),
    /// It needs something that only a client has.
    Asks,
    /// The server cancelled it.
    Cancelled,
}

/// What is learned of a task.
enum Heard {
    /// It has not ended, or its outcome is still to be fetched.
    Task(Task),
    Ended(Followed),
    /// The server knows no such task, or not the session that it is of.
    Forgotten,
    Trouble(Error),
}

impl Begun {
    /// Of 2025-11-25, asked for with the call.
    pub(super) fn requested(task: Task) -> Self {
        let form = Form::Requested;
        Self { task, form }
    }

    /// Of the extension, by the server's own choice.
    pub(super) fn by_server(task: Task) -> Self {
        let form = Form::Extension;
        Self { task, form }
    }

    /// One that another process knew; it may have ended long ago.
    pub(super) fn earlier(place: Place) -> Option<Self> {
        let task = |id| Task {
            id,
            status: Status::Working,
            poll_interval: Some(Duration::ZERO),
        };
        match place {
            Place::Task(id) => Some(Self::requested(task(id))),
            Place::ModernTask(id) => Some(Self::by_server(task(id))),
            Place::Stream { .. } => None,
        }
    }

    /// Its id at the server.
    pub(super) fn id(&self) -> &str {
        &self.task.id
    }

    /// Where another process could continue.
    pub(super) fn place(&self) -> Place {
        let id = self.task.id.clone();
        match self.form {
            Form::Requested => Place::Task(id),
            Form::Extension => Place::ModernTask(id),
        }
    }
}

/// How the task ends.
pub(super) async fn follow(line: &Line, begun: Begun, room: &Room) -> Result<Followed, Error> {
    let Begun { mut task, form } = begun;
    let mut heard = Instant::now();
    loop {
        if form == Form::Requested && task.status != Status::Working {
            match result(line, &task, room).await {
                Ok(reply) => return Ok(Followed::Replied(reply)),
                Err(error @ Error::TooLarge { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!(server = line.server(), %error, "failed to get the result of a task; trying again");
                }
            }
        }
        sleep(task.poll_interval.unwrap_or(INTERVAL).clamp(SHORTEST, LONGEST)).await;
        match get(line, &task.id, form, room).await {
            Heard::Task(newer) => {
                task = newer;
                heard = Instant::now();
            }
            Heard::Ended(followed) => return Ok(followed),
            Heard::Trouble(error @ Error::TooLarge { .. }) => return Err(error),
            Heard::Trouble(error) if heard.elapsed() < PATIENCE => {
                tracing::debug!(server = line.server(), %error, "failed to get the state of a task; trying again");
                task.poll_interval = Some(task.poll_interval.unwrap_or(INTERVAL).saturating_mul(2));
            }
            Heard::Forgotten | Heard::Trouble(_) => return Err(Error::Interrupted),
        }
    }
}

/// Cancels the task at the server.
pub(super) async fn cancel(line: &Line, id: &str) {
    let cancelling = line.ask("tasks/cancel", Some(tasks::about(id)));
    if !matches!(timeout(NOTIFY_TIME, cancelling).await, Ok(Ok(Reply::Result(_)))) {
        tracing::debug!(server = line.server(), "failed to cancel a task");
    }
}

async fn get(line: &Line, id: &str, form: Form, room: &Room) -> Heard {
    let limit = line.upstream().timeout();
    let asking = ask(line, "tasks/get", id, room);
    match timeout(limit, asking).await.unwrap_or(Err(Error::Silent(limit))) {
        Ok(Reply::Result(result)) => match form {
            Form::Requested => state(Task::parse(&result), id),
            Form::Extension => polled(&result, id),
        },
        Ok(Reply::Error(error)) if is_passing(&error) => {
            Heard::Trouble(Error::Protocol("tasks/get was answered with an internal error"))
        }
        // What may be otherwise in a moment: credentials that change, a gateway in between.
        Err(
            error @ Error::Rejected {
                status: 401 | 403 | 408 | 425,
                ..
            },
        ) => Heard::Trouble(error),
        Ok(Reply::Error(_)) | Err(Error::SessionLost | Error::Rejected { status: 400..500, .. }) => {
            Heard::Forgotten
        }
        Err(error) => Heard::Trouble(error),
    }
}

/// A server that fails at this moment may still know the task.
fn is_passing(error: &RawValue) -> bool {
    ErrorObject::parse(error).is_some_and(|error| error.code == Code::InternalError.value())
}

fn state(task: Option<Task>, id: &str) -> Heard {
    match task {
        Some(task) => Heard::Task(named(task, id)),
        None => Heard::Trouble(Error::Protocol("the answer to tasks/get is not a task")),
    }
}

fn polled(result: &RawValue, id: &str) -> Heard {
    match extension::polled(result) {
        Ok(Polled::Working(task)) => Heard::Task(named(task, id)),
        Ok(Polled::InputRequired) => Heard::Ended(Followed::Asks),
        Ok(Polled::Cancelled) => Heard::Ended(Followed::Cancelled),
        Ok(Polled::Ended(Outcome::Result(result))) => Heard::Ended(Followed::Replied(Reply::Result(result))),
        Ok(Polled::Ended(Outcome::Error(error))) => Heard::Ended(Followed::Replied(Reply::Error(error))),
        Err(_) => Heard::Trouble(Error::Protocol("the answer to tasks/get cannot be read")),
    }
}

/// The task that was asked about, whatever the server calls it by now.
fn named(mut task: Task, id: &str) -> Task {
    id.clone_into(&mut task.id);
    task
}

/// Waits for the result, and meanwhile declines what the task asks.
async fn result(line: &Line, task: &Task, room: &Room) -> Result<Reply, Error> {
    Ok(match ask(line, "tasks/result", &task.id, room).await? {
        Reply::Result(result) => Reply::Result(tasks::plain(result)),
        Reply::Error(error) => Reply::Error(error),
    })
}

/// Asks about a task, which may bring its result.
async fn ask(line: &Line, method: &str, id: &str, room: &Room) -> Result<Reply, Error> {
    let request = Request::new(line.own_id(), method, Some(tasks::about(id)));
    let options = RequestOptions {
        room: room.clone(),
        ..RequestOptions::default()
    };
    line.request(&request, options).await
}
