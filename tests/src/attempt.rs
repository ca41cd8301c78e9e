//! One attempt to deliver, as the data plane's log tells it.
//!
//! Read by [`crate::dataplane::DataPlane::attempts`]. Invariant: a line that is none is skipped, and a
//! field that is missing is empty, so that a comparison shows it.

use serde_json::Value;

/// A line of the log with the message `attempt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery's `webhook-id`.
    pub webhook_id: String,
    /// Its number, from 1.
    pub number: u64,
    /// `delivered`, `retry`, `dead` or `interrupted`.
    pub outcome: String,
    /// The answer's HTTP status.
    pub status: Option<u64>,
    /// What went wrong; empty where nothing did.
    pub category: String,
    /// The time of the next attempt; empty without one.
    pub next: String,
}

impl Attempt {
    /// Those among a log's lines.
    pub fn all(lines: &[Value]) -> Vec<Self> {
        let attempts = lines.iter().filter(|line| line["message"] == "attempt");
        attempts.map(Self::of).collect()
    }

    /// Outcome, status and category in one text, for comparisons: `retry 500 http_5xx`.
    pub fn summary(&self) -> String {
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let words = [self.outcome.as_str(), &status, &self.category];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    fn of(line: &Value) -> Self {
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        Self {
            webhook_id: text("webhook_id"),
            number: line["attempt"].as_u64().unwrap_or_default(),
            outcome: text("outcome"),
            status: line["status"].as_u64(),
            category: text("category"),
            next: text("next"),
        }
    }
}
