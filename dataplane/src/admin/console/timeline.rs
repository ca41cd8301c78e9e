//! A job's life in the order in which it happened.
//!
//! Invariant: only what happened, and at the end what comes next; times are those of the jobs API.

use maud::{Markup, html};

use super::text;
use crate::admin::jobs::view::{Attempt, Job};

/// One thing that happened.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    at: Option<String>,
    what: String,
    kind: &'static str,
}

/// The list of them.
pub(super) fn of(job: &Job) -> Markup {
    html! {
        section aria-labelledby="timeline" {
            h2 #timeline { "Timeline" }
            ol.timeline {
                @for event in events(job) {
                    li class=(event.kind) { (text::optional_time(event.at.as_deref())) " " span { (event.what) } }
                }
            }
        }
    }
}

fn events(job: &Job) -> Vec<Event> {
    let event = |at: &Option<String>, what: &str, kind| Event {
        at: at.clone(),
        what: what.to_owned(),
        kind,
    };
    let mut events = vec![event(&Some(job.accepted_at.clone()), "accepted", "past")];
    if job.started_at.is_some() {
        let again = if job.executions > 1 { " again" } else { "" };
        events.push(event(&job.started_at, &format!("execution began{again}"), "past"));
    }
    if let Some(outcome) = job.outcome {
        let what = format!("the call ended: {}", text::label(outcome));
        events.push(event(&job.ended_at, &what, "past"));
    }
    events.extend(job.history.iter().flatten().map(attempt));
    let state = text::word(&job.state);
    if matches!(state.as_str(), "delivered" | "dead" | "stopped" | "ended") {
        let what = match state.as_str() {
            "dead" => "it became a dead letter",
            "stopped" => "its delivery was stopped",
            "delivered" => "delivered",
            _ => "over, with nobody to deliver it to",
        };
        events.push(event(&job.settled_at, what, "past"));
    } else if job.next_attempt_at.is_some() {
        events.push(event(&job.next_attempt_at, "the next attempt is due", "coming"));
    }
    events
}

fn attempt(attempt: &Attempt) -> Event {
    let result = match (attempt.status, attempt.category) {
        (Some(status), _) => format!(": status {status}"),
        (None, Some(why)) => format!(": {}", text::label(why)),
        (None, None) => String::new(),
    };
    Event {
        at: attempt.started_at.clone(),
        what: format!("attempt {} {}{result}", attempt.number, verb(attempt.outcome)),
        kind: if attempt.outcome == "delivered" {
            "past good"
        } else {
            "past bad"
        },
    }
}

fn verb(outcome: &str) -> &'static str {
    match outcome {
        "delivered" => "delivered",
        "retry" => "failed, to be tried again",
        "dead" => "failed for good",
        _ => "was interrupted by a shutdown",
    }
}
