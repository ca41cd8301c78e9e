//! The fake server's tasks (MCP 2025-11-25): one at a time, whose statuses a test writes down.
//!
//! Invariant: a status is told once and the last one for ever.

use axum::response::Response;
use serde_json::json;

use super::{Fake, Reaction, Seen, json_body, react};

/// The id of every task.
pub(crate) const ID: &str = "task-1";

/// The answer to a message about tasks; `None` where it is about something else, or tasks are not offered.
pub(super) async fn answer(fake: &Fake, seen: &Seen, id: &str) -> Option<Response> {
    fake.nature().tasks.as_ref()?;
    let wants_task = seen.body["params"]["task"].is_object();
    let answer = match seen.method() {
        "tools/call" if wants_task => json!({"result": {"task": task("working")}}),
        "tasks/get" => get(fake),
        "tasks/cancel" => json!({"result": task("cancelled")}),
        "tasks/result" => return Some(react(fake, id, result(fake)).await),
        _ => return None,
    };
    let mut body = json!({"jsonrpc": "2.0", "id": seen.body["id"]});
    body.as_object_mut()?.extend(answer.as_object()?.clone());
    Some(json_body(body.to_string()))
}

fn task(status: &str) -> serde_json::Value {
    let at = "2026-11-22T00:00:00Z";
    json!({"taskId": ID, "status": status, "ttl": 1000, "pollInterval": 10, "createdAt": at, "lastUpdatedAt": at})
}

/// What the script says next; `gone` is no status.
fn get(fake: &Fake) -> serde_json::Value {
    let mut nature = fake.nature();
    let statuses = nature.tasks.as_mut().unwrap();
    let status = if statuses.len() > 1 {
        statuses.remove(0)
    } else {
        statuses[0]
    };
    if status == "gone" {
        return json!({"error": {"code": -32602, "message": "Task not found"}});
    }
    json!({"result": task(status)})
}

fn result(fake: &Fake) -> Reaction {
    let mut nature = fake.nature();
    match nature.reactions.get_mut("tasks/result") {
        None => Reaction::Result(
            r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"task-1"}}}"#,
        ),
        Some(reactions) if reactions.len() > 1 => reactions.remove(0),
        Some(reactions) => reactions[0].clone(),
    }
}
