//! The live part of a route's `webhook` section, read again at every step.
//!
//! The data plane sends a new [`Policy`] through a `tokio::sync::watch` channel when the route
//! changes; the engine and the sender read it. Invariant: nothing in here is copied into a job.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::egress::{NamedBy, Rules};
use crate::job::{Key, NoticeTo};
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

/// The receiver of events about dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Where it is, and when failed attempts are repeated.
    pub to: NoticeTo,
    /// Its headers, as [`Policy::default_headers`].
    pub headers: Option<HeaderMap>,
}

/// Rate and concurrency limits per receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerReceiver {
    /// Attempts in progress at once.
    pub max_in_flight: usize,
    /// Attempts that may begin per second; `None` for unlimited.
    pub rate: Option<u32>,
    /// Whether a receiver that keeps failing gets no attempts for a while.
    pub breaker: bool,
}

/// How many jobs of some tools may run at once (`webhookTools[].maxConcurrent`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolLimit {
    /// Identifies the tools that share the limit.
    pub tools: Key,
    /// Jobs that may run at once.
    pub room: usize,
}

type FindLimit = dyn Fn(&str) -> Option<ToolLimit> + Send + Sync;

/// Which tools have a limit of their own. None have by default.
#[derive(Clone, Default)]
pub struct ToolLimits(Option<Arc<FindLimit>>);

impl ToolLimits {
    /// The limits that `find` returns for a tool's name as clients see it.
    pub fn new(find: impl Fn(&str) -> Option<ToolLimit> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(find)))
    }

    /// Whether any tool may have a limit.
    pub fn any(&self) -> bool {
        self.0.is_some()
    }

    /// The limit of `tool`.
    pub fn of(&self, tool: &str) -> Option<ToolLimit> {
        self.0.as_ref()?(tool)
    }
}

impl fmt::Debug for ToolLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolLimits(any: {})", self.any())
    }
}

impl PartialEq for ToolLimits {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        }
    }
}

/// The live policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Where webhooks may go.
    pub egress: Rules,
    /// How they are signed.
    pub signing: Signing,
    /// One attempt, body included (`webhook.timeout`).
    pub attempt_timeout: Duration,
    /// Extra headers for the route author's own receiver, marked sensitive where they are. `None`: one of them cannot be
    /// read, and what is for that receiver waits.
    pub default_headers: Option<HeaderMap>,
    /// Who gets an event for each dead letter (`webhook.deadLetter.notify`).
    pub notify: Option<Notify>,
    /// A delivery older than this, counted from the result, ends as `expired` (`webhook.maxAge`).
    pub max_age: Duration,
    /// `Retry-After` is honoured up to this (`webhook.retry.retryAfterMax`).
    pub retry_after_max: Duration,
    /// How long a settled job is kept (`webhook.resultRetention`).
    pub result_retention: Duration,
    /// How long a dead letter is kept (`webhook.deadLetter.retention`).
    pub dead_retention: Duration,
    /// The route's servers by name, and how many jobs may run on each at once. The queued
    /// jobs of a server that is missing for ten minutes end.
    pub servers: BTreeMap<String, usize>,
    /// Which tools have a limit of their own.
    pub tools: ToolLimits,
    /// The longest timeout of a webhook tool (`webhookTools[].timeout`).
    pub longest_timeout: Duration,
    /// The largest response that is delivered, in bytes (`webhook.maxResultSize`).
    pub max_result_size: usize,
    /// Jobs that run at once on all servers (`webhook.maxRunning`).
    pub max_running: usize,
    /// The share of a limit on running jobs that one client may use, in percent (`webhook.perClient.maxRunningPercent`).
    pub max_running_percent: usize,
    /// Rate and concurrency limits per receiver (`webhook.perReceiver`).
    pub per_receiver: PerReceiver,
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

    /// Whether attempts may be made to a receiver that was named by this.
    pub fn can_send_to(&self, named_by: NamedBy) -> bool {
        let has_headers = match named_by {
            NamedBy::Session | NamedBy::Call => true,
            NamedBy::Default => self.default_headers.is_some(),
            NamedBy::Notify => self.notify.is_none() || self.notify_headers().is_some(),
        };
        self.can_send() && has_headers
    }

    /// The headers of events; none where the route no longer wants any, or one of them cannot be read.
    pub fn notify_headers(&self) -> Option<&HeaderMap> {
        self.notify.as_ref()?.headers.as_ref()
    }

    /// How many jobs may run on `server` at once; `None` when the route has no such server.
    pub fn room_on(&self, server: Key) -> Option<usize> {
        let known = self.servers.iter().find(|(name, _)| Key::of(name) == server);
        known.map(|(_, room)| *room)
    }
}
