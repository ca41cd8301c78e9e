//! A server's tasks (MCP 2025-11-25): one at a time, whose statuses a test writes down.
//!
//! Invariant: a status is told once and the last one for ever.

use serde_json::{Value, json};

use super::{McpServer, Seen};

/// The id of every task.
pub const ID: &str = "task-1";

/// Its raw result, if none is scripted.
pub(super) const RESULT: &str =
    r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"task-1"}}}"#;

/// The answer to a message about tasks; `None` where it is about something else, or tasks are not offered.
pub(super) fn answer(server: &McpServer, seen: &Seen) -> Option<Value> {
    let mut nature = server.nature();
    let statuses = nature.tasks.as_mut()?;
    let mut answer = match seen.method() {
        "tools/call" if seen.body["params"]["task"].is_object() => {
            json!({"result": {"task": task("working")}})
        }
        "tasks/get" => get(statuses),
        "tasks/cancel" => json!({"result": task("cancelled")}),
        _ => return None,
    };
    answer["jsonrpc"] = "2.0".into();
    answer["id"] = seen.body["id"].clone();
    Some(answer)
}

fn task(status: &str) -> Value {
    let at = "2026-11-22T00:00:00Z";
    json!({"taskId": ID, "status": status, "ttl": 1000, "pollInterval": 10, "createdAt": at, "lastUpdatedAt": at})
}

/// What the script says next; `gone` is no status.
fn get(statuses: &mut Vec<&'static str>) -> Value {
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
