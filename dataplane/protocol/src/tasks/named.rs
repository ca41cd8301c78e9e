//! A server's task under the id that the gateway gives it.
//!
//! Called where a server's answer about a task passes on to a client.
//!
//! Invariant: nothing but the task's id is replaced, wherever a result of this kind has it, and all other values keep
//! their bytes.

use serde_json::value::RawValue;

use super::META_RELATED;
use crate::raw::RawObject;
use crate::version::Era;

/// The result of a call that became a task of this era, with the id that `name` makes of the server's; `None` where the
/// call did not become one.
pub fn created(result: &RawValue, era: Era, name: impl FnOnce(&str) -> String) -> Option<Box<RawValue>> {
    let mut object = RawObject::parse(result.get().as_bytes()).ok()?;
    match era {
        Era::Modern => {
            if object.text("resultType").as_deref() != Some("task") {
                return None;
            }
            let id = object.text("taskId")?;
            object.set_value("taskId", &name(&id));
        }
        Era::Legacy => {
            if object.get("content").is_some() {
                return None;
            }
            let mut task = object.object("task").ok().flatten()?;
            let id = task.text("taskId")?;
            task.set_value("taskId", &name(&id));
            object.set("task", task.to_raw());
        }
    }
    Some(object.to_raw())
}

/// The result of `tasks/get`, `tasks/result` or `tasks/cancel` with `id` wherever it names its task; `None` where it does
/// not.
pub fn renamed(result: &RawValue, id: &str) -> Option<Box<RawValue>> {
    let mut object = RawObject::parse(result.get().as_bytes()).ok()?;
    let mut is_changed = false;
    if object.get("taskId").is_some() {
        object.set_value("taskId", id);
        is_changed = true;
    }
    let meta = object.object("_meta").ok().flatten();
    if let Some(mut meta) = meta.filter(|meta| meta.get(META_RELATED).is_some()) {
        meta.set(META_RELATED, super::about(id).to_raw());
        object.set("_meta", meta.to_raw());
        is_changed = true;
    }
    is_changed.then(|| object.to_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_created_task_gets_its_name_in_the_form_of_its_era_and_a_result_none() {
        let name = |id: &str| format!("sealed {id}");
        let nested = (
            r#"{"task":{"ttl":1e400,"taskId":"a"},"_meta":{ }}"#,
            r#"{"task":{"ttl":1e400,"taskId":"sealed a"},"_meta":{ }}"#,
        );
        let flat = (
            r#"{"resultType":"task","taskId":"a","x":{ }}"#,
            r#"{"resultType":"task","taskId":"sealed a","x":{ }}"#,
        );
        for (era, (theirs, ours), (other, _)) in [(Era::Legacy, nested, flat), (Era::Modern, flat, nested)] {
            assert_eq!(created(&raw(theirs), era, name).unwrap().get(), ours);
            assert!(created(&raw(other), era, name).is_none());
        }
        for other in [
            r#"{"content":[],"task":{"taskId":"a"}}"#,
            r#"{"resultType":"complete","taskId":"a"}"#,
            r#"{"resultType":"task"}"#,
            r#"{"task":7}"#,
            "[]",
        ] {
            for era in [Era::Legacy, Era::Modern] {
                assert!(created(&raw(other), era, name).is_none(), "{other}");
            }
        }
    }

    #[test]
    fn what_is_said_of_a_task_gets_its_name_wherever_it_stands() {
        let related = |id| {
            format!(r#""_meta":{{"v":{{ }},"io.modelcontextprotocol/related-task":{{"taskId":"{id}"}}}}"#)
        };
        let theirs = format!(r#"{{"taskId":"a","ttl":1e400,{}}}"#, related("a"));
        let ours = format!(r#"{{"taskId":"b","ttl":1e400,{}}}"#, related("b"));
        assert_eq!(renamed(&raw(&theirs), "b").unwrap().get(), ours);
        assert!(renamed(&raw(r#"{ "content":[ ] }"#), "b").is_none());
    }
}
