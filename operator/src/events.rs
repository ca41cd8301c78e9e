//! Events: what a user should know about a route, as `kubectl describe` shows it. Called by `route::publish`,
//! `route::apply` and `route::drain`.
//!
//! kube's own recorder folds events of one reason into the text of the first; ours differ in their text, and are
//! only sent when something changed, so each is an object of its own.
//!
//! Invariant: an event that cannot be written is logged and forgotten; it never fails a reconcile.

use crate::cause;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};

/// The longest note the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// How much attention an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Things went as they should.
    Normal,
    /// Someone should look.
    Warning,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How much attention it asks for.
    pub kind: Kind,
    /// One word in camel case, from a closed set.
    pub reason: &'static str,
    /// The sentence.
    pub text: String,
}

impl Note {
    /// Things went as they should.
    pub fn normal(reason: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Normal,
            reason,
            text: text.into(),
        }
    }

    /// Someone should look.
    pub fn warning(reason: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Warning,
            reason,
            text: text.into(),
        }
    }
}

/// Writes events in the name of this replica.
#[derive(Clone)]
pub struct Recorder {
    client: kube::Client,
    instance: String,
}

impl Recorder {
    /// A recorder for the replica called `instance`.
    pub fn new(client: kube::Client, instance: String) -> Self {
        Self { client, instance }
    }

    /// Writes each note as an event about `regarding`.
    pub async fn record(&self, regarding: &ObjectReference, notes: &[Note]) {
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
        note: Some(shortened(&note.text)),
        type_: Some(kind.to_owned()),
        regarding: Some(regarding.clone()),
        reporting_controller: Some("asyncmcp.dev/operator".to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

fn shortened(text: &str) -> String {
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
    fn a_long_note_is_cut_at_a_character() {
        let long = "ä".repeat(LONGEST_NOTE);
        let short = shortened(&long);
        assert!(short.len() <= LONGEST_NOTE && short.ends_with("ä..."));
        assert_eq!(shortened("as it is"), "as it is");
    }

    #[test]
    fn an_events_name_is_a_dns_name_of_its_own() {
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
