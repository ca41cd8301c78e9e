//! The rows of the errors about tasks.

use asyncmcp_protocol::tasks::report::Unreadable;

use super::*;

pub(super) fn about_tasks() -> Vec<Row> {
    vec![
        (
            task::Error::Undeclared("tools/call".into()).into(),
            400,
            -32021,
            "extension",
        ),
        (
            task::Error::Required("t".into()).into(),
            200,
            -32601,
            "params.task",
        ),
        (
            task::Error::NotOffered("t".into()).into(),
            200,
            -32601,
            "cannot be called as a task",
        ),
        (task::Error::Param(Unreadable).into(), 200, -32602, "params.task"),
        (
            task::Error::Unknown("t".into()).into(),
            200,
            -32602,
            "no such task",
        ),
        (task::Error::Over("t".into()).into(), 200, -32602, "has ended"),
        (task::Error::Gone("t".into()).into(), 200, -32602, "any more"),
    ]
}
