//! The Events for the changes between two statuses.
//!
//! Invariant: pure; equal statuses give none, so an event is written once.

use super::conditions::{HINDRANCES, KEY_INVALID, KEY_NOT_FOUND, NOT_RUNNING};
use crate::events::Note;
use crate::route::claim;
use crate::route::stuck::NOT_CREATED;
use asyncmcp_crds::v1alpha1::{ServerState, ServerStatus};
use asyncmcp_crds::{Condition, McpWebhookRouteStatus};

/// Reasons of `Programmed=False` or `Ready=False` that a person has to act on, beside those about a claim and
/// [`HINDRANCES`]. The others resolve themselves.
const ACTIONABLE: [&str; 5] = [
    "DocumentRefused",
    "ForeignChild",
    "ChildRefused",
    NOT_CREATED,
    NOT_RUNNING,
];

/// The events between two statuses.
pub(super) fn between(before: &McpWebhookRouteStatus, after: &McpWebhookRouteStatus) -> Vec<Note> {
    let mut notes = Vec::new();
    notes.extend(became_false(before, after, "Accepted").map(|now| warning("Rejected", now)));
    notes.extend(became_false(before, after, "ResolvedRefs").map(unresolved));
    notes.extend(became_false(before, after, "Programmed").and_then(actionable));
    notes.extend(became_false(before, after, "Ready").and_then(actionable));
    notes.extend(became_programmed(before, after));
    notes.extend(began_draining(before, after));
    notes.extend(unmatched(before, after));
    notes.extend(complaints(before, after));
    notes.dedup(); // Ready repeats what it depends on
    notes
}

fn find<'a>(status: &'a McpWebhookRouteStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == type_)
}

/// A condition that became `False`, or is `False` for another reason than before.
fn became_false<'a>(
    before: &McpWebhookRouteStatus,
    after: &'a McpWebhookRouteStatus,
    type_: &str,
) -> Option<&'a Condition> {
    let now = find(after, type_).filter(|condition| condition.status == "False")?;
    let same = find(before, type_).is_some_and(|before| {
        (&before.status, &before.reason, &before.message) == (&now.status, &now.reason, &now.message)
    });
    (!same).then_some(now)
}

fn warning(reason: &'static str, condition: &Condition) -> Note {
    Note::warning(reason, condition.message.clone())
}

fn unresolved(condition: &Condition) -> Note {
    let reasons = [KEY_NOT_FOUND, KEY_INVALID];
    let reason = reasons.into_iter().find(|reason| condition.reason == *reason);
    warning(reason.unwrap_or("RefNotFound"), condition)
}

fn actionable(condition: &Condition) -> Option<Note> {
    let reason = ACTIONABLE
        .into_iter()
        .chain(claim::REASONS)
        .chain(HINDRANCES)
        .find(|reason| condition.reason == *reason)?;
    Some(warning(reason, condition))
}

/// What is wrong with a server that is ready, such as tools that are left out: its state does not show it.
fn complaints(before: &McpWebhookRouteStatus, after: &McpWebhookRouteStatus) -> Vec<Note> {
    let was_known = |now: &ServerStatus| {
        let mut servers = before.servers.iter().flatten();
        servers.any(|server| {
            (&server.name, server.state, &server.message) == (&now.name, now.state, &now.message)
        })
    };
    let ready = after.servers.iter().flatten();
    let ready = ready.filter(|server| server.state == ServerState::Ready && !was_known(server));
    let note = |server: &ServerStatus| {
        let text = format!("server {}: {}", server.name, server.message.as_ref()?);
        Some(Note::warning("ServerTools", text))
    };
    ready.filter_map(note).collect()
}

fn became_programmed(before: &McpWebhookRouteStatus, after: &McpWebhookRouteStatus) -> Option<Note> {
    let holds = |status| find(status, "Programmed").is_some_and(|condition| condition.status == "True");
    let hash = after.config_hash.as_deref().unwrap_or_default();
    let short = hash.get(..12).unwrap_or(hash);
    (holds(after) && !holds(before)).then(|| {
        Note::normal(
            "Programmed",
            format!("every pod serves the current version of the route ({short})"),
        )
    })
}

fn began_draining(before: &McpWebhookRouteStatus, after: &McpWebhookRouteStatus) -> Option<Note> {
    let draining = |status| find(status, "Ready").filter(|ready| ready.reason == "Draining");
    let now = draining(after).filter(|_| draining(before).is_none())?;
    Some(Note::normal("Draining", now.message.clone()))
}

/// An entry that matches no tool is most likely misspelt, and then the intended tool answers synchronously.
fn unmatched(before: &McpWebhookRouteStatus, after: &McpWebhookRouteStatus) -> Vec<Note> {
    let all_ready = |status: &McpWebhookRouteStatus| {
        status
            .servers
            .iter()
            .flatten()
            .all(|server| server.state == ServerState::Ready)
    };
    if !all_ready(after) {
        return Vec::new();
    }
    let was_reported = |name: &str| {
        let mut entries = before.webhook_tools.iter().flatten();
        all_ready(before) && entries.any(|tool| tool.name == name && tool.matched == 0)
    };
    let entries = after.webhook_tools.iter().flatten();
    let unreported = entries.filter(|tool| tool.matched == 0 && !was_reported(&tool.name));
    let text =
        |name: &str| format!("webhookTools entry {name} matches no tool of any server; is it misspelt?");
    unreported
        .map(|tool| Note::warning("WebhookToolUnmatched", text(&tool.name)))
        .collect()
}
