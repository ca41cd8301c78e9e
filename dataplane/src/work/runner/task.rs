//! A server's task, followed to its end (MCP 2025-11-25, "Tasks").
//!
//! [`super::Runner`] follows the task that a call began, or that an earlier process knew. Invariant: a task
//! was begun, so no error from here means that nothing was dispatched.

use std::time::Duration;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::Request;
use asyncmcp_protocol::tasks::{self, Status, Task};
use tokio::time::{Instant, sleep, timeout};

use super::NOTIFY_TIME;
use crate::servers::lines::Line;
use crate::servers::{Error, Reply, RequestOptions};

/// Between two polls where the server names no interval.
const INTERVAL: Duration = Duration::from_secs(1);
/// A server's interval is honoured between these.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);
/// How long a server may be unreachable before its task counts as lost.
const PATIENCE: Duration = Duration::from_mins(10);

/// What is learned of a task.
enum Heard {
    Task(Task),
    /// The server knows no such task, or not the session that it is of.
    Forgotten,
    Trouble(Error),
}

/// The reply that the task ends with.
pub(super) async fn follow(line: &Line, mut task: Task, room: &Room) -> Result<Reply, Error> {
    let mut heard = Instant::now();
    loop {
        if task.status != Status::Working {
            match result(line, &task, room).await {
                Ok(reply) => return Ok(reply),
                Err(error @ Error::TooLarge { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!(server = line.server(), %error, "failed to get the result of a task; trying again");
                }
            }
        }
        sleep(task.poll_interval.unwrap_or(INTERVAL).clamp(SHORTEST, LONGEST)).await;
        match get(line, &task.id).await {
            Heard::Task(newer) => {
                task = newer;
                heard = Instant::now();
            }
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

async fn get(line: &Line, id: &str) -> Heard {
    match line.ask("tasks/get", Some(tasks::about(id))).await {
        Ok(Reply::Result(result)) => match Task::parse(&result) {
            Some(task) => Heard::Task(Task {
                id: id.to_owned(),
                ..task
            }),
            None => Heard::Trouble(Error::Protocol("the answer to tasks/get is not a task")),
        },
        Ok(Reply::Error(_)) | Err(Error::SessionLost | Error::Rejected { status: 400..500, .. }) => {
            Heard::Forgotten
        }
        Err(error) => Heard::Trouble(error),
    }
}

/// Waits for the result, and meanwhile declines what the task asks.
async fn result(line: &Line, task: &Task, room: &Room) -> Result<Reply, Error> {
    let request = Request::new(line.own_id(), "tasks/result", Some(tasks::about(&task.id)));
    let options = RequestOptions {
        room: room.clone(),
        ..RequestOptions::default()
    };
    let reply = line.request(&request, options).await?;
    Ok(match reply {
        Reply::Result(result) => Reply::Result(tasks::plain(result)),
        Reply::Error(error) => Reply::Error(error),
    })
}
