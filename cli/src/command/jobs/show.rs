//! Formats jobs for people.
//!
//! Invariant: a value that the API does not return is shown as a hyphen, never as a guess.

use serde_json::Value;

use crate::command::print::{text, time};
use crate::command::table::table;

/// A table of jobs, one line each.
pub(super) fn list(jobs: &[Value], wide: bool) -> String {
    if wide {
        first_columns::<{ COLUMNS.len() }>(jobs)
    } else {
        first_columns::<NARROW>(jobs)
    }
}

/// A heading, and what stands below it.
type Column = (&'static str, fn(&Value) -> String);

/// How many of the columns fit a terminal.
const NARROW: usize = 9;
const COLUMNS: [Column; 14] = [
    ("ID", |job| text(&job["id"])),
    ("STATE", |job| text(&job["state"])),
    ("WAITS FOR", |job| text(&job["waitingFor"]["reason"])),
    ("TOOL", |job| text(&job["tool"])),
    ("RECEIVER", |job| host(&job["receiver"]["url"])),
    ("ATTEMPTS", |job| text(&job["attempts"])),
    ("REPLAYS", |job| text(&job["replays"])),
    ("LAST FAILURE", |job| text(&job["lastFailure"])),
    ("ACCEPTED", |job| time(&job["acceptedAt"])),
    ("SERVER", |job| text(&job["server"])),
    ("CLIENT", |job| text(&job["client"])),
    ("SIZE", |job| text(&job["size"])),
    ("NEXT", |job| time(&job["nextAttemptAt"])),
    ("WEBHOOK-ID", |job| text(&job["webhookId"])),
];

fn first_columns<const N: usize>(jobs: &[Value]) -> String {
    let row = |job| std::array::from_fn(|number| (COLUMNS[number].1)(job));
    let rows: Vec<[String; N]> = jobs.iter().map(row).collect();
    table(std::array::from_fn(|number| COLUMNS[number].0), &rows)
}

/// All fields of one job, and its attempts.
pub(super) fn job(job: &Value) -> String {
    let lines = [
        ("job", text(&job["id"])),
        ("webhook-id", text(&job["webhookId"])),
        ("state", because(&job["state"], &job["deadReason"])),
        ("waiting for", waiting(&job["waitingFor"])),
        (
            "tool",
            format!("{} on {}", text(&job["tool"]), text(&job["server"])),
        ),
        ("client", text(&job["client"])),
        ("receiver", receiver(&job["receiver"])),
        ("accepted", time(&job["acceptedAt"])),
        (
            "call ended",
            because(&Value::String(time(&job["endedAt"])), &job["outcome"]),
        ),
        ("delivery ended", time(&job["settledAt"])),
        ("next attempt", time(&job["nextAttemptAt"])),
        ("trace", text(&job["traceId"])),
        ("executions", text(&job["executions"])),
        ("replays", text(&job["replays"])),
    ];
    let lines = lines.map(|(name, value)| format!("{name:16}{value}"));
    let none = Vec::new();
    let history = job["history"].as_array().unwrap_or(&none);
    let attempts: Vec<_> = history.iter().map(attempt).collect();
    let headings = [
        "ATTEMPT", "REPLAY", "STARTED", "TOOK", "OUTCOME", "REASON", "STATUS", "NEXT",
    ];
    format!("{}\n\n{}", lines.join("\n"), table(headings, &attempts))
}

fn attempt(attempt: &Value) -> [String; 8] {
    let took = attempt["durationMs"].as_u64();
    [
        text(&attempt["number"]),
        text(&attempt["replay"]),
        time(&attempt["startedAt"]),
        took.map_or_else(|| "-".to_owned(), |took| format!("{took} ms")),
        text(&attempt["outcome"]),
        text(&attempt["category"]),
        text(&attempt["status"]),
        time(&attempt["nextAttemptAt"]),
    ]
}

/// What a job waits for, and until when.
fn waiting(waiting: &Value) -> String {
    match (&waiting["message"], &waiting["until"]) {
        (Value::Null, _) => "-".to_owned(),
        (message, Value::Null) => text(message),
        (message, until) => format!("{}, until {}", text(message), time(until)),
    }
}

fn because(what: &Value, why: &Value) -> String {
    match why {
        Value::Null => text(what),
        why => format!("{} ({})", text(what), text(why)),
    }
}

fn receiver(receiver: &Value) -> String {
    match receiver["namedBy"].as_str() {
        Some(named_by) => format!("{} (named by the {named_by})", text(&receiver["url"])),
        None => "-".to_owned(),
    }
}

/// The host and port of a receiver's URL.
fn host(url: &Value) -> String {
    let url = url.as_str().and_then(|url| url::Url::parse(url).ok());
    let host = url.as_ref().and_then(url::Url::host_str);
    let port = url.as_ref().and_then(url::Url::port);
    match (host, port) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_shown_with_its_attempts() {
        let told = job(&json!({
            "id": "01", "webhookId": "msg_1", "state": "dead", "deadReason": "http_4xx", "tool": "batch",
            "server": "s", "client": "ab", "receiver": {"url": "https://r.example/hook", "namedBy": "call"},
            "acceptedAt": "2026-11-22T08:00:00.123Z", "endedAt": "2026-11-22T08:00:01Z", "outcome": "result",
            "executions": 1, "replays": 0,
            "history": [{"number": 1, "replay": 0, "startedAt": "2026-11-22T08:00:01Z", "durationMs": 12,
                         "outcome": "dead", "category": "http_4xx", "status": 410}],
        }));
        assert!(told.contains("state           dead (http_4xx)"), "{told}");
        assert!(
            told.contains("receiver        https://r.example/hook (named by the call)"),
            "{told}"
        );
        assert!(
            told.contains("call ended      2026-11-22T08:00:01Z (result)"),
            "{told}"
        );
        let last = told.lines().last().unwrap();
        assert_eq!(
            last,
            "1        0       2026-11-22T08:00:01Z  12 ms  dead     http_4xx  410     -"
        );
    }

    #[test]
    fn a_line_contains_only_the_receivers_host_and_no_control_character() {
        let line = list(
            &[json!({"id": "01", "tool": "a\u{1b}[2J", "receiver": {"url": "http://h:81/p"}})],
            false,
        );
        assert!(
            line.contains("h:81") && !line.contains("/p") && !line.contains('\u{1b}'),
            "{line}"
        );
        assert!(list(&[], false).starts_with("ID") && list(&[], true).contains("WEBHOOK-ID"));
    }
}
