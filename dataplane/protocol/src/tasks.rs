//! Tasks of MCP 2025-11-25 (SEP-1686) from the requestor's side: requesting a task and reading its status.
//!
//! The data plane executes jobs as tasks if a server supports them. Those of 2026-07-28 are in [`extension`]. What clients
//! read of tasks, in both eras, is in [`report`]; how a server's task becomes one of the gateway's is in [`named`].
//!
//! Invariant: an unknown status counts as working, because a later status of the server tells the outcome.

pub mod extension;
pub mod named;
pub mod report;

use std::time::Duration;

use serde_json::value::RawValue;

use crate::raw::RawObject;

/// The `_meta` key of a task's result that contains the task's id.
pub const META_RELATED: &str = "io.modelcontextprotocol/related-task";

/// The extension of 2026-07-28 by which clients and servers offer tasks (SEP-2663).
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Whether a tool can, must or must not be called as a task (`execution.taskSupport`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Support {
    /// It must not be called as a task. The default.
    #[default]
    Forbidden,
    /// It can be called as a task or directly.
    Optional,
    /// It must be called as a task.
    Required,
}

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The task is running.
    Working,
    /// The task waits for input; `tasks/result` returns the server's request for it.
    InputRequired,
    /// The task is completed, failed or cancelled; `tasks/result` returns the outcome.
    Over,
}

/// A task of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The task's id. Secret: anyone who knows it can access the task.
    pub id: String,
    /// The current status.
    pub status: Status,
    /// The interval between polls that the server requests.
    pub poll_interval: Option<Duration>,
}

impl Support {
    /// Reads a tool's `execution` member.
    pub fn of(execution: Option<&RawObject>) -> Self {
        let said = execution.and_then(|execution| execution.text("taskSupport"));
        said.as_deref().and_then(Self::named).unwrap_or_default()
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "required" => Self::Required,
            "optional" => Self::Optional,
            "forbidden" => Self::Forbidden,
            _ => return None,
        })
    }

    /// Whether this is a value of `taskSupport`.
    pub(crate) fn is_known(name: &str) -> bool {
        Self::named(name).is_some()
    }
}

impl Status {
    fn named(name: &str) -> Self {
        match name {
            "completed" | "failed" | "cancelled" => Self::Over,
            "input_required" => Self::InputRequired,
            _ => Self::Working,
        }
    }
}

impl Task {
    /// Parses the `result` of `tasks/get`.
    pub fn parse(result: &RawValue) -> Option<Self> {
        Self::of(&RawObject::parse(result.get().as_bytes()).ok()?)
    }

    /// The task in the `result` of a request, if it is a `CreateTaskResult`. A server without task support returns the
    /// actual result instead.
    pub fn created(result: &RawValue) -> Option<Self> {
        let result = RawObject::parse(result.get().as_bytes()).ok()?;
        if result.get("content").is_some() {
            return None;
        }
        Self::of(&result.object("task").ok()??)
    }

    fn of(task: &RawObject) -> Option<Self> {
        Some(Self {
            status: Status::named(&task.text("status")?),
            id: task.text("taskId").filter(|id| !id.is_empty())?,
            poll_interval: interval(task, "pollInterval"),
        })
    }
}

/// The number of milliseconds in this member.
fn interval(task: &RawObject, member: &str) -> Option<Duration> {
    let millis: f64 = task.get(member)?.get().parse().ok()?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

/// Whether a server's `capabilities` support calling tools as tasks: `tasks.requests.tools.call`.
pub fn offered(capabilities: &RawObject) -> bool {
    let step = |object: RawObject, key| object.object(key).ok().flatten();
    let tools = step(capabilities.clone(), "tasks")
        .and_then(|tasks| step(tasks, "requests"))
        .and_then(|requests| step(requests, "tools"));
    tools.is_some_and(|tools| tools.get("call").is_some())
}

/// The `task` member of `params`, which asks the server to keep the task for `ttl`.
pub fn wanted(ttl: Duration) -> RawObject {
    let mut task = RawObject::new();
    task.set_value("ttl", &u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    task
}

/// The `params` of `tasks/get`, `tasks/result` and `tasks/cancel`.
pub fn about(id: &str) -> RawObject {
    let mut params = RawObject::new();
    params.set_value("taskId", id);
    params
}

/// Converts a task's result to an ordinary result: removes the task's id, which is meaningless for a client that did
/// not request a task. Everything else keeps its bytes.
pub fn plain(result: Box<RawValue>) -> Box<RawValue> {
    let Ok(mut object) = RawObject::parse(result.get().as_bytes()) else {
        return result;
    };
    let Ok(Some(mut meta)) = object.object("_meta") else {
        return result;
    };
    if meta.remove(META_RELATED).is_none() {
        return result;
    }
    if meta.is_empty() {
        object.remove("_meta");
    } else {
        object.set("_meta", meta.to_raw());
    }
    object.to_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_created_task_is_distinguished_from_a_result() {
        let created = r#"{"task":{"taskId":"t","status":"working","ttl":1,"pollInterval":1500,"x":{}}}"#;
        let task = Task {
            id: "t".to_owned(),
            status: Status::Working,
            poll_interval: Some(Duration::from_millis(1500)),
        };
        assert_eq!(Task::created(&raw(created)), Some(task));
        for other in [
            r#"{"content":[],"task":{"taskId":"t","status":"working"}}"#,
            r#"{"content":[]}"#,
            r#"{"task":{"taskId":"","status":"working"}}"#,
            r#"{"task":{"taskId":"t"}}"#,
            r#"{"task":7}"#,
            "[]",
        ] {
            assert_eq!(Task::created(&raw(other)), None, "{other}");
        }
    }

    #[test]
    fn every_status_is_recognised() {
        for (word, status) in [
            ("working", Status::Working),
            ("submitted", Status::Working),
            ("input_required", Status::InputRequired),
            ("completed", Status::Over),
            ("failed", Status::Over),
            ("cancelled", Status::Over),
        ] {
            let task = format!(r#"{{"taskId":"t","status":"{word}","pollInterval":-1}}"#);
            let task = Task::parse(&raw(&task)).unwrap();
            assert_eq!((task.status, task.poll_interval), (status, None), "{word}");
        }
    }

    #[test]
    fn a_server_supports_tasks_only_if_it_declares_the_full_path() {
        let offers = |json: &str| offered(&RawObject::parse(json.as_bytes()).unwrap());
        assert!(offers(
            r#"{"tasks":{"list":{},"requests":{"tools":{"call":{}}}}}"#
        ));
        for other in [
            "{}",
            r#"{"tasks":{}}"#,
            r#"{"tasks":{"requests":{"tools":{}}}}"#,
            r#"{"tasks":true}"#,
        ] {
            assert!(!offers(other), "{other}");
        }
    }

    #[test]
    fn only_the_task_id_is_removed_from_a_result() {
        let related = r#""io.modelcontextprotocol/related-task":{"taskId":"t"}"#;
        let alone = plain(raw(&format!(r#"{{"content":[ 1e400 ],"_meta":{{{related}}}}}"#)));
        assert_eq!(alone.get(), r#"{"content":[ 1e400 ]}"#);
        let among = plain(raw(&format!(
            r#"{{"_meta":{{"v":{{ }},{related}}},"content":[ ]}}"#
        )));
        assert_eq!(among.get(), r#"{"_meta":{"v":{ }},"content":[ ]}"#);
        let untouched = r#"{ "content":[ ], "_meta":{ "v":1 } }"#;
        assert_eq!(plain(raw(untouched)).get(), untouched);
    }
}
