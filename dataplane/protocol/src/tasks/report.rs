//! A task as a client reads it: of 2025-11-25 (SEP-1686) or of the extension for 2026-07-28 (SEP-2663).
//!
//! The data plane answers calls of webhook tools and `tasks/*` with it.
//!
//! Invariant: the outcome of a call keeps its bytes; only members beside it, and the keys of its `_meta` about tasks,
//! differ between the eras.

use std::time::Duration;

use serde_json::value::RawValue;

use super::META_RELATED;
use crate::message::Outcome;
use crate::modern::result;
use crate::raw::{self, RawObject};
use crate::version::Era;

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has not ended.
    Working,
    /// It ended with a result.
    Completed,
    /// It ended with an error; up to 2025-11-25 also with a result in which the tool reports failure.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// What is said of a task, whatever its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// A sentence about its status.
    pub message: Option<&'static str>,
    /// When it was created, as ISO 8601.
    pub created: String,
    /// When it changed last, as ISO 8601.
    pub updated: String,
    /// How long after its creation it is there at least.
    pub ttl: Duration,
    /// How long a client should wait before it polls.
    pub poll_interval: Duration,
}

/// What a client of 2025-11-25 wants of a task: the member `task` of the call's `params`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How long it should be kept.
    pub ttl: Option<Duration>,
}

/// The member `task` cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("params.task must be an object, and its ttl a number of milliseconds: {{\"ttl\": 60000}}")]
pub struct Unreadable;

impl Status {
    /// The name in both eras.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Wanted {
    /// Reads the member of `params`, if it is there.
    pub fn of(params: Option<&RawObject>) -> Result<Option<Self>, Unreadable> {
        let Some(params) = params.filter(|params| params.get("task").is_some()) else {
            return Ok(None);
        };
        let task = params.object("task").ok().flatten().ok_or(Unreadable)?;
        let ttl = match task.get("ttl").map(RawValue::get) {
            None | Some("null") => None,
            Some(number) => Some(millis(number).ok_or(Unreadable)?),
        };
        Ok(Some(Self { ttl }))
    }
}

fn millis(number: &str) -> Option<Duration> {
    let millis: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

impl Report {
    /// The result of a call that became a task (`CreateTaskResult`): flat, or up to 2025-11-25 nested.
    pub fn created(&self, era: Era) -> RawObject {
        let mut result = RawObject::new();
        match era {
            Era::Modern => {
                result.set_value("resultType", "task");
                self.write(era, &mut result);
            }
            Era::Legacy => result.set("task", self.to_object(era).to_raw()),
        }
        result
    }

    /// The task alone, as `tasks/get` returns one that has not ended, and every one up to 2025-11-25.
    pub fn to_object(&self, era: Era) -> RawObject {
        let mut task = RawObject::new();
        self.write(era, &mut task);
        task
    }

    /// The task with its outcome, as `tasks/get` returns it from 2026-07-28 on.
    pub fn detailed(&self, outcome: Outcome) -> RawObject {
        let mut task = self.to_object(Era::Modern);
        match (self.status, outcome) {
            (Status::Completed, Outcome::Result(value)) => {
                let value = super::plain(value);
                task.set("result", result::typed(&value).unwrap_or(value));
            }
            (Status::Failed, Outcome::Error(value)) => {
                task.set("error", result::renumbered(&value).unwrap_or(value));
            }
            _ => {}
        }
        task
    }

    fn write(&self, era: Era, task: &mut RawObject) {
        let (ttl, poll_interval) = match era {
            Era::Legacy => ("ttl", "pollInterval"),
            Era::Modern => ("ttlMs", "pollIntervalMs"),
        };
        task.set_value("taskId", &self.id);
        task.set_value("status", self.status.as_str());
        if let Some(message) = self.message {
            task.set_value("statusMessage", message);
        }
        task.set_value("createdAt", &self.created);
        task.set_value("lastUpdatedAt", &self.updated);
        task.set_value(ttl, &whole_millis(self.ttl));
        task.set_value(poll_interval, &whole_millis(self.poll_interval));
    }
}

/// The outcome of a task as `tasks/result` returns it (2025-11-25): a result names its task.
pub fn related(outcome: Outcome, task: &str) -> Outcome {
    match outcome {
        Outcome::Result(result) => Outcome::Result(names_task(&result, task).unwrap_or(result)),
        error @ Outcome::Error(_) => error,
    }
}

/// `None` where it is not an object.
fn names_task(result: &RawValue, task: &str) -> Option<Box<RawValue>> {
    let mut object = RawObject::parse(result.get().as_bytes()).ok()?;
    let mut meta = object.object("_meta").ok().flatten().unwrap_or_default();
    meta.set(META_RELATED, super::about(task).to_raw());
    object.set("_meta", meta.to_raw());
    Some(object.to_raw())
}

/// The result of `tasks/list` (2025-11-25).
pub fn list(tasks: &[RawObject], next_cursor: Option<&str>) -> Box<RawValue> {
    let mut result = RawObject::new();
    result.set("tasks", raw::raw(&tasks));
    if let Some(cursor) = next_cursor {
        result.set_value("nextCursor", cursor);
    }
    result.to_raw()
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: Status) -> Report {
        Report {
            id: "t".to_owned(),
            status,
            message: None,
            created: "2026-11-28T10:00:00Z".to_owned(),
            updated: "2026-11-28T10:00:01Z".to_owned(),
            ttl: Duration::from_mins(1),
            poll_interval: Duration::from_millis(500),
        }
    }

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    const TIMES: &str = r#""createdAt":"2026-11-28T10:00:00Z","lastUpdatedAt":"2026-11-28T10:00:01Z""#;

    #[test]
    fn a_created_task_is_nested_up_to_2025_and_flat_afterwards() {
        let working = report(Status::Working);
        assert_eq!(
            working.created(Era::Legacy).to_raw().get(),
            format!(
                r#"{{"task":{{"taskId":"t","status":"working",{TIMES},"ttl":60000,"pollInterval":500}}}}"#
            )
        );
        assert_eq!(
            working.created(Era::Modern).to_raw().get(),
            format!(
                r#"{{"resultType":"task","taskId":"t","status":"working",{TIMES},"ttlMs":60000,"pollIntervalMs":500}}"#
            )
        );
    }

    #[test]
    fn an_outcome_keeps_its_bytes_in_a_modern_task() {
        let meta = r#""_meta":{"io.modelcontextprotocol/related-task":{"taskId":"theirs"}}"#;
        let result = Outcome::Result(raw(&format!(r#"{{"content":[ 1e400 ],{meta}}}"#)));
        let task = report(Status::Completed).detailed(result);
        assert_eq!(
            task.get("result").unwrap().get(),
            r#"{"resultType":"complete","content":[ 1e400 ]}"#
        );
        let error = Outcome::Error(raw(r#"{ "code":-31002, "message":"m" }"#));
        let task = report(Status::Failed).detailed(error);
        assert_eq!(
            task.get("error").unwrap().get(),
            r#"{ "code":-31002, "message":"m" }"#
        );
        assert!(task.get("result").is_none());
        let cancelled = report(Status::Cancelled).detailed(Outcome::Error(raw(r#"{"code":-31006}"#)));
        assert!(cancelled.get("error").is_none());
    }

    #[test]
    fn a_result_names_its_task_and_an_error_stays_as_it_is() {
        let result = Outcome::Result(raw(r#"{"content":[ ],"_meta":{"v":1e400}}"#));
        let Outcome::Result(result) = related(result, "t") else {
            panic!("it was a result")
        };
        assert_eq!(
            result.get(),
            r#"{"content":[ ],"_meta":{"v":1e400,"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#
        );
        let Outcome::Error(error) = related(Outcome::Error(raw(r#"{ "code":1 }"#)), "t") else {
            panic!("it was an error")
        };
        assert_eq!(error.get(), r#"{ "code":1 }"#);
    }

    #[test]
    fn a_wanted_task_is_an_object_whose_ttl_is_a_number() {
        let wanted = |json: &str| Wanted::of(Some(&RawObject::parse(json.as_bytes()).unwrap()));
        assert_eq!(wanted("{}"), Ok(None));
        assert_eq!(Wanted::of(None), Ok(None));
        for (task, ttl) in [
            ("{}", None),
            (r#"{"ttl":null}"#, None),
            (r#"{"ttl":60000}"#, Some(60_000)),
            (r#"{"ttl":1.5e3,"x":{}}"#, Some(1_500)),
            (r#"{"ttl":0}"#, Some(0)),
        ] {
            let ttl = ttl.map(Duration::from_millis);
            assert_eq!(wanted(&format!(r#"{{"task":{task}}}"#)), Ok(Some(Wanted { ttl })));
        }
        for task in [
            "7",
            "[]",
            "null",
            r#"{"ttl":"1"}"#,
            r#"{"ttl":-1}"#,
            r#"{"ttl":1e300}"#,
        ] {
            assert_eq!(
                wanted(&format!(r#"{{"task":{task}}}"#)),
                Err(Unreadable),
                "{task}"
            );
        }
    }

    #[test]
    fn a_list_has_a_cursor_where_there_is_more() {
        let tasks = [report(Status::Failed).to_object(Era::Legacy)];
        let list = |cursor| list(&tasks, cursor).get().to_owned();
        assert!(list(None).starts_with(r#"{"tasks":[{"taskId":"t","status":"failed","#));
        assert!(list(Some("c")).ends_with(r#"],"nextCursor":"c"}"#));
    }
}
