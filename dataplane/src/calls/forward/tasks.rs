//! A server's tasks in what passes between it and a client: each under the id that the client knows it by.
//!
//! [`super`] makes one for each call. Invariant: no id that a server gave a task reaches a client, and no client gets a task
//! that it did not let the call become.

use std::sync::Arc;

use asyncmcp_protocol::tasks::{META_RELATED, about, named};
use asyncmcp_protocol::version::Era;
use asyncmcp_protocol::{Message, Outcome, RawObject, RawValue, Request, Response};

use crate::caller::Caller;
use crate::calls::Context;
use crate::calls::target::Tasks;
use crate::calls::task_ids::{ServerTask, TaskIds};
use crate::servers::Incoming;

/// The client's names of the tasks of one call.
pub(super) struct Names {
    ids: TaskIds,
    caller: Arc<Caller>,
    server: String,
    tasks: Tasks,
}

/// The response has a task that its client cannot get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// Whether the request is answered when a task ends.
pub(super) fn waits(request: &Request) -> bool {
    request.method == "tasks/result"
}

impl Names {
    pub(super) fn of(context: &Context, server: &str, tasks: &Tasks) -> Self {
        Self {
            ids: context.calls.task_ids.clone(),
            caller: Arc::clone(&context.caller),
            server: server.to_owned(),
            tasks: tasks.clone(),
        }
    }

    /// Puts the client's name into the response; whether there was any.
    pub(super) fn rename(&self, response: &mut Response) -> Result<bool, Unfit> {
        let Outcome::Result(result) = &response.outcome else {
            return Ok(false);
        };
        let renamed = match &self.tasks {
            Tasks::About(id) => named::renamed(result, id),
            Tasks::Wanted(tool) => self.begun(result, Era::Legacy, tool)?,
            Tasks::Welcome(tool) => self.begun(result, Era::Modern, tool)?,
            Tasks::None if self.is_unasked(result) => return Err(Unfit),
            Tasks::None => None,
        };
        let is_renamed = renamed.is_some();
        if let Some(result) = renamed {
            response.outcome = Outcome::Result(result);
        }
        Ok(is_renamed)
    }

    /// The result with the id that the client gets, where the call became a task.
    fn begun(&self, result: &RawValue, era: Era, tool: &str) -> Result<Option<Box<RawValue>>, Unfit> {
        let mut sealed = None;
        let named = named::created(result, era, |id| {
            let task = ServerTask {
                server: self.server.clone(),
                tool: tool.to_owned(),
                id: id.to_owned(),
            };
            sealed = self.ids.seal(&self.caller, &task);
            sealed.clone().unwrap_or_default()
        });
        match (named, sealed) {
            (Some(_), None) => Err(Unfit),
            (named, _) => Ok(named),
        }
    }

    /// Servers of 2026-07-28 may answer with a task whoever declares that it knows them, and nobody else.
    fn is_unasked(&self, result: &RawValue) -> bool {
        self.caller.version.era() == Era::Modern
            && named::created(result, Era::Modern, str::to_owned).is_some()
    }

    /// The same in a message that comes before the response to `tasks/result`.
    pub(super) fn incoming(&self, incoming: Incoming) -> Incoming {
        let Tasks::About(id) = &self.tasks else {
            return incoming;
        };
        let Incoming { mut message, raw } = incoming;
        let params = match &mut message {
            Message::Request(request) => &mut request.params,
            Message::Notification(said) => &mut said.params,
            Message::Response(_) => return Incoming { message, raw },
        };
        let is_related = params.as_mut().is_some_and(|params| relate(params, id));
        let raw = match &message {
            Message::Request(request) if is_related => request.to_bytes().into(),
            Message::Notification(said) if is_related => said.to_bytes().into(),
            _ => raw,
        };
        Incoming { message, raw }
    }
}

/// Whether the params name a task, which is `id` then.
fn relate(params: &mut RawObject, id: &str) -> bool {
    let meta = params.object("_meta").ok().flatten();
    let Some(mut meta) = meta.filter(|meta| meta.get(META_RELATED).is_some()) else {
        return false;
    };
    meta.set(META_RELATED, about(id).to_raw());
    params.set("_meta", meta.to_raw());
    true
}
