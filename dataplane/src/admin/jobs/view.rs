//! How a job is shown.
//!
//! Invariant: of a receiver's URL neither query nor user info is shown, of a client only a name that stands for
//! it here, and of arguments and results nothing.

use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::engine::jobs::{Listed, Shown};
use asyncmcp_delivery::history::{Entry, Outcome};
use asyncmcp_delivery::job::{Call, Key};
use asyncmcp_delivery::state;
use asyncmcp_delivery::state::{Exec, Push, Stage};
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Waits for execution.
    Queued,
    /// Executes on its server.
    Running,
    /// Waits for its next attempt.
    Due,
    /// An attempt is under way.
    Sending,
    /// The receiver has it.
    Delivered,
    /// A dead letter: no attempt follows unless it is replayed.
    Dead,
    /// An administrator stopped its delivery.
    Stopped,
    /// Over, with nobody to deliver it to.
    Ended,
}

/// What was wrong with an attempt or a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Category {
    /// The receiver refused the connection.
    ConnectionRefused,
    /// The connection broke.
    ConnectionReset,
    /// The name does not exist or has no address.
    DnsError,
    /// It took longer than `webhook.timeout`.
    Timeout,
    /// The TLS handshake failed.
    TlsError,
    /// A redirect, which is never followed.
    #[serde(rename = "http_3xx")]
    Http3xx,
    /// A client error.
    #[serde(rename = "http_4xx")]
    Http4xx,
    /// A server error.
    #[serde(rename = "http_5xx")]
    Http5xx,
    /// The egress policy forbids the receiver.
    Blocked,
    /// Older than `webhook.maxAge`.
    Expired,
    /// Damaged in the store.
    Corrupt,
    /// Its result was deleted to make room in the store; it cannot be replayed. `lastFailure` says why it died.
    Evicted,
    /// An informational status, as 101, in place of an answer.
    #[serde(rename = "http_1xx")]
    Http1xx,
    /// The receiver asked not to be sent this message again (`webhook-delivery: abort-message`).
    ReceiverAborted,
}

/// A job: one accepted call of a webhook tool.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    /// Its id.
    #[schema(pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    id: String,
    /// The `webhook-id` of every attempt (Standard Webhooks).
    webhook_id: String,
    /// Where it is.
    state: State,
    /// How the call ended: `result`, `error`, `timeout`, `unknown`, `cancelled` or `too_large`; null before.
    outcome: Option<&'static str>,
    /// The tool as clients see it; null while the key that seals it is missing from the key ring.
    tool: Option<String>,
    /// The server's name in the route; null as `tool` is.
    server: Option<String>,
    /// A name that stands for the client.
    client: String,
    /// Where the result goes; null where it is polled only, and as `tool` is.
    receiver: Option<Receiver>,
    /// When it was accepted.
    #[schema(format = DateTime)]
    accepted_at: String,
    /// When its execution began last.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When the call ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// When it was delivered, stopped or given up.
    #[schema(format = DateTime)]
    settled_at: Option<String>,
    /// When the next attempt is due.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// What it waits for; null while it is being worked on, or is over.
    waiting_for: Option<WaitingFor>,
    /// How often its execution began.
    executions: u8,
    /// Its executions were interrupted so often that the call is assumed to be the cause; its outcome is `unknown`.
    poisoned: bool,
    /// The trace of the call (W3C Trace Context); null where the client and this process made none.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    trace_id: Option<String>,
    /// Bytes of its arguments, once the call ended of its result; 0 once the result was deleted early.
    size: u32,
    /// Attempts since it was accepted or last replayed that count against `webhook.retry`.
    attempts: u32,
    /// How often it was replayed.
    replays: u32,
    /// Why the last attempt failed.
    last_failure: Option<Category>,
    /// Why it is a dead letter.
    dead_reason: Option<Category>,
    /// Its attempts, oldest first, the newest 64; only where one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    history: Option<Vec<Attempt>>,
}

/// Where a result goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receiver {
    /// Its URL without query and user info.
    url: String,
    /// Who named it: `session`, `call` or `route`.
    named_by: &'static str,
}

/// What a job waits for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::admin) struct WaitingFor {
    /// `retry`, `breaker`, `receiver` (it asked for a pause), `rate`, `in_flight`, `signing_key`, `header`, `store_key`,
    /// `server`, `server_gone`, `store_space`, `running` (limits of running calls), `shutting_down` or `turn`.
    pub(super) reason: &'static str,
    /// Until when at least, where that is known.
    #[schema(format = DateTime)]
    pub(super) until: Option<String>,
    /// The same for people.
    pub(super) message: &'static str,
}

/// One attempt at a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempt {
    /// 1 is the job's first.
    number: u32,
    /// How often the job had been replayed by then.
    replay: u32,
    /// `delivered`, `retry`, `dead` or `interrupted` (by a shutdown of the data plane, which does not use up a retry).
    outcome: &'static str,
    /// When it began; null for a first attempt that delivered.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// How long it took, in milliseconds; null where it is not known.
    duration_ms: Option<u64>,
    /// What was wrong: a category, or `resolver`, `descriptors`, `client` for a fault on this side.
    category: Option<&'static str>,
    /// The answer's HTTP status; null where there was none, or for a first attempt that delivered.
    status: Option<u16>,
    /// When the next attempt was to be.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
}

impl From<Stage> for State {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Queued => Self::Queued,
            Stage::Running => Self::Running,
            Stage::Due => Self::Due,
            Stage::Sending => Self::Sending,
            Stage::Delivered => Self::Delivered,
            Stage::Dead => Self::Dead,
            Stage::Stopped => Self::Stopped,
            Stage::Ended => Self::Ended,
        }
    }
}

impl From<state::Category> for Category {
    fn from(category: state::Category) -> Self {
        match category {
            state::Category::ConnectionRefused => Self::ConnectionRefused,
            state::Category::ConnectionReset => Self::ConnectionReset,
            state::Category::DnsError => Self::DnsError,
            state::Category::Timeout => Self::Timeout,
            state::Category::TlsError => Self::TlsError,
            state::Category::Http3xx => Self::Http3xx,
            state::Category::Http4xx => Self::Http4xx,
            state::Category::Http5xx => Self::Http5xx,
            state::Category::Blocked => Self::Blocked,
            state::Category::Expired => Self::Expired,
            state::Category::Corrupt => Self::Corrupt,
            state::Category::Evicted => Self::Evicted,
            state::Category::Http1xx => Self::Http1xx,
            state::Category::ReceiverAborted => Self::ReceiverAborted,
        }
    }
}

impl From<Listed> for Job {
    fn from(Listed { job, call }: Listed) -> Self {
        let settled = job.state.is_settled().then_some(job.turn);
        let due = (job.state.push == Push::Due).then_some(job.turn);
        Self {
            id: job.id.to_string(),
            webhook_id: job.id.webhook_id(),
            state: job.state.stage().into(),
            outcome: match job.state.exec {
                Exec::Ended(end) => Some(end.as_str()),
                Exec::Queued | Exec::Running => None,
            },
            client: client(job.client),
            receiver: call.as_ref().and_then(receiver),
            accepted_at: job.accepted.to_string(),
            started_at: text(job.started),
            ended_at: text(job.ended),
            settled_at: text(settled),
            next_attempt_at: text(due),
            waiting_for: None,
            executions: job.executions,
            poisoned: job.poisoned,
            size: job.size,
            attempts: job.attempts,
            replays: job.replays,
            last_failure: job.last.map(Category::from),
            dead_reason: match job.state.push {
                Push::Dead(why) => Some(why.into()),
                _ => None,
            },
            trace_id: call.as_ref().and_then(trace_id),
            tool: call.as_ref().map(|call| call.shown_as.clone()),
            server: call.map(|call| call.server),
            history: None,
        }
    }
}

impl Job {
    /// The same job, with what it waits for.
    pub(super) fn that_waits_for(self, waiting_for: Option<WaitingFor>) -> Self {
        Self { waiting_for, ..self }
    }
}

impl From<Shown> for Job {
    fn from(shown: Shown) -> Self {
        let last = shown.unwritten_delivery();
        let last = last.map(|number| delivery(number, shown.listed.job.replays));
        let written = shown.history.into_iter().map(Attempt::from);
        let history = Some(written.chain(last).collect());
        Self {
            history,
            ..Self::from(shown.listed)
        }
    }
}

impl From<(u32, Entry)> for Attempt {
    fn from((number, entry): (u32, Entry)) -> Self {
        let fault = entry.fault.map(asyncmcp_delivery::state::Fault::as_str);
        let took = entry.duration.map(|took| took.as_millis());
        Self {
            number,
            replay: entry.replay,
            outcome: entry.outcome.as_str(),
            started_at: Some(entry.started.to_string()),
            duration_ms: took.map(|took| u64::try_from(took).unwrap_or(u64::MAX)),
            category: entry.category.map(state::Category::as_str).or(fault),
            status: entry.status,
            next_attempt_at: text(entry.next),
        }
    }
}

/// The attempt that delivered a job, of which no entry was written.
fn delivery(number: u32, replay: u32) -> Attempt {
    Attempt {
        number,
        replay,
        outcome: Outcome::Delivered.as_str(),
        started_at: None,
        duration_ms: None,
        category: None,
        status: None,
        next_attempt_at: None,
    }
}

fn text(at: Option<Millis>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn client(Key(key): Key) -> String {
    format!("{:016x}", u64::from_be_bytes(key))
}

fn receiver(call: &Call) -> Option<Receiver> {
    let target = call.target.as_ref()?;
    Some(Receiver {
        url: shown_url(&target.url),
        named_by: named_by(target.named_by),
    })
}

/// A receiver's URL without query and user info.
pub(super) fn shown_url(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            // These fail only for a URL that cannot have them.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        Err(_) => String::new(), // never accepted
    }
}

/// Who named a receiver.
pub(super) fn named_by(named_by: NamedBy) -> &'static str {
    match named_by {
        NamedBy::Session => "session",
        NamedBy::Call => "call",
        NamedBy::Default => "route",
    }
}

/// The second part of a `traceparent`.
fn trace_id(call: &Call) -> Option<String> {
    let id = call.trace.parent.split('-').nth(1)?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_filter() {
        for category in state::Category::ALL {
            let shown = serde_json::to_value(Category::from(category)).unwrap();
            assert_eq!(shown, category.as_str());
        }
        for stage in Stage::ALL {
            let shown = serde_json::to_value(State::from(stage)).unwrap();
            assert_eq!(shown, stage.as_str());
        }
    }
}
