//! What a client's request is about: the server that it goes to, and what it names there.
//!
//! Whoever resolves a request makes one, [`super::forward`] sends the request there. Invariant: of the request's params only
//! the name that clients see is replaced, by the one that the server knows.

use asyncmcp_protocol::RawObject;

use super::task_ids::ServerTask;
use crate::caller::respond::server::Asked;
use crate::servers::catalogue::{Prompt, Tool};

/// The way to a member of `params`.
type Path = &'static [&'static str];

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The server.
    pub(super) server: String,
    /// The tool that is called, as the server names it: a name from the catalogue.
    pub(super) tool: Option<String>,
    /// Where the request has a name that the server does not know, and the name that it knows.
    renamed: Option<(Path, String)>,
    /// What it has to do with the server's tasks.
    pub(super) tasks: Tasks,
    /// The server is asked only since no other listed what the request names: where it cannot be reached, the next is asked.
    pub(super) by_chance: bool,
}

/// What a request has to do with tasks of its server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Tasks {
    /// Nothing.
    #[default]
    None,
    /// It is a call of the tool that the client sees by this name, and it asks for a task (2025-11-25).
    Wanted(String),
    /// The same, where the server decides and the client knows tasks (2026-07-28).
    Welcome(String),
    /// It is about the task that the client knows by this id.
    About(String),
}

impl Target {
    /// A tool on its server.
    pub(super) fn of_tool(tool: &Tool) -> Self {
        Self {
            server: tool.server.clone(),
            tool: Some(tool.name.clone()),
            renamed: renamed(&["name"], &tool.shown_as, &tool.name),
            by_chance: false,
            tasks: Tasks::None,
        }
    }

    /// The same, with what it has to do with tasks of the server's.
    pub(super) fn with(self, tasks: Tasks) -> Self {
        Self { tasks, ..self }
    }

    /// A task on its server, which the client knows by `id`.
    pub(super) fn of_task(task: &ServerTask, id: &str) -> Self {
        Self {
            renamed: renamed(&["taskId"], id, &task.id),
            tasks: Tasks::About(id.to_owned()),
            ..Self::of_server(&task.server)
        }
    }

    /// A prompt on its server, whose name is here in the params.
    pub(super) fn of_prompt(prompt: &Prompt, path: Path) -> Self {
        Self {
            renamed: renamed(path, &prompt.shown_as, &prompt.name),
            ..Self::of_server(&prompt.server)
        }
    }

    /// A server that knows what the request names by the same name as the client.
    pub(super) fn of_server(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            tool: None,
            renamed: None,
            by_chance: false,
            tasks: Tasks::None,
        }
    }

    /// A server that may know what no server listed.
    pub(super) fn by_chance(server: &str) -> Self {
        Self {
            by_chance: true,
            ..Self::of_server(server)
        }
    }

    /// Puts the name that the server knows into the params.
    pub(super) fn rename(&self, params: &mut RawObject) {
        if let Some((path, name)) = &self.renamed {
            set(params, path, name);
        }
    }

    /// What an error should say about.
    pub(super) fn asked(&self) -> Asked {
        if self.tool.is_some() {
            Asked::Tool
        } else {
            Asked::Other
        }
    }
}

/// A name that is the same on both sides keeps its bytes.
fn renamed(path: Path, shown_as: &str, name: &str) -> Option<(Path, String)> {
    (shown_as != name).then(|| (path, name.to_owned()))
}

fn set(object: &mut RawObject, path: &[&str], name: &str) {
    match path {
        [] => {}
        [key] => object.set_value(key, name),
        [key, rest @ ..] => {
            if let Ok(Some(mut inner)) = object.object(key) {
                set(&mut inner, rest, name);
                object.set(key, inner.to_raw());
            }
        }
    }
}
