//! What the engine reads anew whenever it acts: the live part of a route's `webhook` section.
//!
//! The data plane sends a new [`Policy`] through a `tokio::sync::watch` channel when the route
//! changes. Invariant: nothing in here is copied into a job.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;

use crate::egress::Egress;
use crate::job::Key;
use crate::signature::SigningKey;

/// How attempts are signed (`webhook.signing`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Not configured: `webhook-id` and `webhook-timestamp` without a signature.
    Off,
    /// Configured, but no key can be read: deliveries wait.
    Waiting,
    /// Every key signs.
    Keys(Vec<SigningKey>),
}

/// The live policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Where webhooks may go.
    pub egress: Egress,
    /// How they are signed.
    pub signing: Signing,
    /// One attempt, body included (`webhook.timeout`).
    pub attempt_timeout: Duration,
    /// Extra headers for the route author's own receiver, marked sensitive where they are.
    pub default_headers: HeaderMap,
    /// A delivery older than this, counted from the result, ends as `expired` (`webhook.maxAge`).
    pub max_age: Duration,
    /// `Retry-After` is honoured up to this (`webhook.retry.retryAfterMax`).
    pub retry_after_max: Duration,
    /// How long a settled job is kept (`webhook.resultRetention`).
    pub result_retention: Duration,
    /// How long a dead letter is kept (`webhook.deadLetter.retention`).
    pub dead_retention: Duration,
    /// The route's servers by name, and how many jobs may run on each at once. The queued
    /// jobs of a server that stays away for ten minutes end.
    pub servers: BTreeMap<String, usize>,
    /// Jobs that run at once on all servers (`webhook.maxRunning`).
    pub max_running: usize,
    /// Attempts under way at once per receiver (`webhook.perReceiver.maxInFlight`).
    pub max_in_flight: usize,
    /// The route's namespace.
    pub namespace: String,
    /// The route's name.
    pub route: String,
}

impl Policy {
    /// Whether attempts may be made at all.
    pub fn can_send(&self) -> bool {
        self.signing != Signing::Waiting
    }

    /// How many jobs may run on `server` at once; `None` when the route has no such server.
    pub fn room_on(&self, server: Key) -> Option<usize> {
        let known = self.servers.iter().find(|(name, _)| Key::of(name) == server);
        known.map(|(_, room)| *room)
    }
}
