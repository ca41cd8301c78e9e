//! Events about a route, which `kubectl describe` shows to users. Called by `route::publish`,
//! `route::apply` and `route::drain`.
//!
//! kube's own recorder merges events with the same reason and keeps the first text. Ours differ in their text and are
//! sent only when something changed, so each is an object of its own.
//!
//! Invariant: an event that cannot be written is logged and dropped; it never fails a reconcile.

use crate::cause;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};

/// The longest note the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Severity of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    /// A person should check it.
    Warning,
}

/// An event before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) kind: Kind,
    /// Machine-readable reason in CamelCase, from a fixed set.
    pub(crate) reason: &'static str,
    /// Message for people; truncated to [`LONGEST_NOTE`] bytes when written.
    pub(crate) text: String,
}

impl Note {
    pub(crate) fn normal(reason: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Normal,
            reason,
            text: text.into(),
        }
    }

    /// An event that a person should check.
    pub(crate) fn warning(reason: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Warning,
            reason,
            text: text.into(),
        }
    }
}

/// Writes events in the name of this replica.
#[derive(Clone)]
pub(crate) struct Recorder {
    client: kube::Client,
    instance: String,
}

impl Recorder {
    /// A recorder for the replica called `instance`.
    pub(crate) fn new(client: kube::Client, instance: String) -> Self {
        Self { client, instance }
    }

    /// Writes each note as an event about `regarding`.
    pub(crate) async fn record(&self, regarding: &ObjectReference, notes: &[Note]) {
        let namespace = regarding.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        for note in notes {
            let event = event(regarding, note, &self.instance, Timestamp::now());
            if let Err(error) = api.create(&PostParams::default(), &event).await {
                let cause = cause::line(&error);
                tracing::warn!(cause, reason = note.reason, "failed to write an event");
            }
        }
    }
}

fn event(regarding: &ObjectReference, note: &Note, instance: &str, now: Timestamp) -> Event {
    let route = regarding.name.as_deref().unwrap_or_default();
    let kind = match note.kind {
        Kind::Normal => "Normal",
        Kind::Warning => "Warning",
    };
    Event {
        metadata: ObjectMeta {
            name: Some(format!(
                "{route}.{:x}.{}",
                now.as_nanosecond(),
                note.reason.to_lowercase()
            )),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        action: Some("Reconcile".to_owned()),
        reason: Some(note.reason.to_owned()),
        note: Some(truncated(&note.text)),
        type_: Some(kind.to_owned()),
        regarding: Some(regarding.clone()),
        reporting_controller: Some("asyncmcp.dev/operator".to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

fn truncated(text: &str) -> String {
    if text.len() <= LONGEST_NOTE {
        return text.to_owned();
    }
    let end = (0..=LONGEST_NOTE - 3)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_truncated_at_a_character_boundary() {
        let long = "ä".repeat(LONGEST_NOTE);
        let short = truncated(&long);
        assert!(short.len() <= LONGEST_NOTE && short.ends_with("ä..."));
        assert_eq!(truncated("as it is"), "as it is");
    }

    #[test]
    fn an_events_name_is_a_unique_dns_name() {
        let route = ObjectReference {
            name: Some("r".repeat(40)),
            ..ObjectReference::default()
        };
        let now = Timestamp::now();
        let name = |reason| {
            let event = event(&route, &Note::warning(reason, "text"), "me", now);
            event.metadata.name.unwrap()
        };
        assert_ne!(name("DocumentRefused"), name("StoreKept"));
        assert!(name("DocumentRefused").len() <= 253 && name("DocumentRefused").is_ascii());
        assert_eq!(name("DocumentRefused").to_lowercase(), name("DocumentRefused"));
    }
}
