//! The tasks of one `subscriptions/listen`: jobs are watched here, servers' tasks at their servers.
//!
//! Called by [`super`]. Invariant: a client hears of its own tasks alone, in the words and under the id of `tasks/get`; a job
//! that has ended is notified of, however early it did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use asyncmcp_delivery::id::JobId;
use asyncmcp_protocol::code::Code;
use asyncmcp_protocol::subscriptions::{self, Filter, TASK};
use asyncmcp_protocol::{Id, Notification};
use bytes::Bytes;
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument as _;

use super::taken;
use crate::calls::Context;
use crate::calls::tasks::{self, Found};
use crate::servers::lines::Part;

/// Before an outcome is read again that there was no memory for.
const BUSY: Duration = Duration::from_secs(1);

/// What is listened to, until it is dropped.
#[derive(Default)]
pub(super) struct Listened {
    /// The tasks that will be notified of, by the ids that the client knows.
    pub(super) accepted: BTreeSet<String>,
    jobs: JoinSet<()>,
    parts: Vec<Part>,
}

/// The client's ids of one server's tasks, by the server's.
type Names = BTreeMap<String, String>;

/// Listens to those of the tasks that are the caller's, for the stream `id`.
pub(super) async fn listen(
    context: &Context,
    (id, wanted): (&Id, &BTreeSet<String>),
    updates: &mpsc::Sender<Bytes>,
) -> Listened {
    let mut listened = Listened::default();
    let mut servers: BTreeMap<String, Names> = BTreeMap::new();
    for task in wanted {
        match tasks::find(context, task).await {
            Ok(Found::Job(job)) => {
                let watching = watch(context.clone(), (id.clone(), job), updates.clone());
                listened.jobs.spawn(watching.in_current_span());
                listened.accepted.insert(task.clone());
            }
            Ok(Found::OfServer(found)) => {
                let names = servers.entry(found.server).or_default();
                names.insert(found.id, task.clone());
            }
            Err(_) => {} // not the caller's, or none: it is not acknowledged
        }
    }
    let asking = servers
        .into_iter()
        .filter_map(|(server, names)| at_server(context, (id, &server), names, updates));
    for (part, accepted) in join_all(asking).await {
        listened.accepted.extend(accepted);
        listened.parts.push(part);
    }
    listened
}

/// Listens to tasks of a server; which of them it notifies of, by the client's ids.
fn at_server(
    context: &Context,
    (id, server): (&Id, &str),
    names: Names,
    updates: &mpsc::Sender<Bytes>,
) -> Option<impl Future<Output = (Part, Vec<String>)> + use<>> {
    let asked = Filter {
        tasks: names.keys().cloned().collect(),
        ..Filter::default()
    };
    let (id, known) = (id.clone(), names.clone());
    let written = move |said| subscriptions::on(renamed(said, &known), &id).to_bytes().into();
    let listening = context
        .calls
        .lines
        .listen(&context.caller, (server, asked.clone()), updates, written);
    let part = listening.ok()?;
    Some(async move {
        let (part, accepted) = taken(part, asked).await;
        let accepted = accepted.tasks.iter().filter_map(|task| names.get(task).cloned());
        let accepted = accepted.collect();
        (part, accepted)
    })
}

/// The notification under the id that the client knows. Only of tasks that were asked for does one come.
fn renamed(mut said: Notification, names: &Names) -> Notification {
    let name = subscriptions::task(&said).and_then(|task| names.get(&task));
    if let (Some(name), Some(params)) = (name, &mut said.params) {
        params.set_value("taskId", name);
    }
    said
}

/// Notifies of the job's end.
async fn watch(context: Context, (id, job): (Id, JobId), updates: mpsc::Sender<Bytes>) {
    loop {
        let task = match context.calls.engine.ended(job).await {
            Ok(Some(_)) => tasks::detailed(&context, job).await,
            Ok(None) => return, // it was deleted
            Err(error) => Err(error.into()),
        };
        match task {
            Ok(task) => {
                let said = subscriptions::on(Notification::new(TASK, Some(task)), &id);
                let _ = updates.send(said.to_bytes().into()).await; // or the stream has ended
                return;
            }
            Err(error) if error.code() == Code::Overloaded => sleep(BUSY).await,
            Err(error) => {
                tracing::debug!(%error, "the end of a task could not be notified of");
                return;
            }
        }
    }
}
