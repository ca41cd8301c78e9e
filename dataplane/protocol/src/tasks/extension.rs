//! Tasks of the extension for 2026-07-28 (SEP-2663) from the requestor's side: whether a call became one, and what
//! `tasks/get` says of it.
//!
//! The data plane follows the tasks that its jobs become on modern servers.
//!
//! Invariant: an unknown status counts as working, because a later status of the server tells the outcome; the outcome
//! keeps its bytes, apart from what legacy readers of it do not know.

use serde_json::value::RawValue;

use super::{Task, interval};
use crate::id::Id;
use crate::message::{Outcome, Response};
use crate::modern::legacy;
use crate::raw::RawObject;

/// The answer says that it is about a task, but lacks what is needed to follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a task without an id or a status, or one that has ended without its outcome")]
pub struct Unreadable;

/// What `tasks/get` says of a task.
#[derive(Clone, Debug)]
pub enum Polled {
    /// It has not ended.
    Working(Task),
    /// It waits for something that its client has.
    InputRequired,
    /// It ended, as a legacy reader gets to know it.
    Ended(Outcome),
    /// It was cancelled, so there is no outcome.
    Cancelled,
}

/// The task that the call became, if it did.
pub fn created(result: &RawValue) -> Result<Option<Task>, Unreadable> {
    let Ok(object) = RawObject::parse(result.get().as_bytes()) else {
        return Ok(None);
    };
    if object.text("resultType").as_deref() != Some("task") {
        return Ok(None);
    }
    let (task, _) = parse(&object)?;
    Ok(Some(task))
}

/// Reads the `result` of `tasks/get` about a `tools/call`.
pub fn polled(result: &RawValue) -> Result<Polled, Unreadable> {
    let object = RawObject::parse(result.get().as_bytes()).map_err(|_| Unreadable)?;
    let (task, status) = parse(&object)?;
    let member = |name| object.get(name).map(ToOwned::to_owned).ok_or(Unreadable);
    Ok(match status.as_str() {
        "completed" => Polled::Ended(read(Outcome::Result(member("result")?))),
        "failed" => Polled::Ended(read(Outcome::Error(member("error")?))),
        "cancelled" => Polled::Cancelled,
        "input_required" => Polled::InputRequired,
        _ => Polled::Working(task),
    })
}

fn parse(object: &RawObject) -> Result<(Task, String), Unreadable> {
    let status = object.text("status").ok_or(Unreadable)?;
    let task = Task {
        id: object
            .text("taskId")
            .filter(|id| !id.is_empty())
            .ok_or(Unreadable)?,
        status: super::Status::named(&status),
        poll_interval: interval(object, "pollIntervalMs"),
    };
    Ok((task, status))
}

/// The outcome as a legacy reader gets that of an ordinary call.
fn read(outcome: Outcome) -> Outcome {
    let mut response = Response {
        id: Some(Id::number(0)),
        outcome,
        extra: RawObject::new(),
    };
    legacy::translate("tools/call", &mut response);
    match response.outcome {
        Outcome::Result(result) => Outcome::Result(super::plain(result)),
        error @ Outcome::Error(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Status;
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_call_became_a_task_only_if_the_result_says_so() {
        let task =
            r#"{"resultType":"task","taskId":"t","status":"working","ttlMs":null,"pollIntervalMs":1500}"#;
        let expected = Task {
            id: "t".to_owned(),
            status: Status::Working,
            poll_interval: Some(Duration::from_millis(1500)),
        };
        assert_eq!(created(&raw(task)), Ok(Some(expected)));
        for other in [
            r#"{"content":[]}"#,
            r#"{"taskId":"t","status":"working"}"#,
            r#"{"resultType":"complete","taskId":"t","status":"working"}"#,
            "[]",
        ] {
            assert_eq!(created(&raw(other)), Ok(None), "{other}");
        }
        for flawed in [
            r#"{"resultType":"task","status":"working"}"#,
            r#"{"resultType":"task","taskId":"","status":"working"}"#,
            r#"{"resultType":"task","taskId":"t"}"#,
        ] {
            assert_eq!(created(&raw(flawed)), Err(Unreadable), "{flawed}");
        }
    }

    #[test]
    fn an_outcome_keeps_its_bytes_without_what_is_modern_of_it() {
        let ended = |status: &str, outcome: &str| {
            let task = format!(r#"{{"taskId":"t","status":"{status}",{outcome}}}"#);
            match polled(&raw(&task)).unwrap() {
                Polled::Ended(Outcome::Result(value) | Outcome::Error(value)) => value.get().to_owned(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            ended(
                "completed",
                r#""result":{"resultType":"complete","content":[ 1e400 ]}"#
            ),
            r#"{"content":[ 1e400 ]}"#
        );
        let error = r#"{ "code":-5, "message":"no" }"#;
        assert_eq!(ended("failed", &format!(r#""error":{error}"#)), error);
    }

    #[test]
    fn every_status_is_recognised_and_an_end_needs_its_outcome() {
        let of = |status: &str| polled(&raw(&format!(r#"{{"taskId":"t","status":"{status}"}}"#)));
        assert!(matches!(of("working"), Ok(Polled::Working(_))));
        assert!(matches!(of("submitted"), Ok(Polled::Working(_))));
        assert!(matches!(of("input_required"), Ok(Polled::InputRequired)));
        assert!(matches!(of("cancelled"), Ok(Polled::Cancelled)));
        assert!(matches!(of("completed"), Err(Unreadable)));
        assert!(matches!(of("failed"), Err(Unreadable)));
    }
}
