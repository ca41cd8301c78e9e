//! `GET /receivers`: which receivers get attempts, which do not and why, and how the last attempt went.
//!
//! Invariant: an answer is bounded, and of a receiver's URL neither query nor user info is shown.

use std::sync::Arc;

use asyncmcp_delivery::clock::{Clock, Millis};
use asyncmcp_delivery::engine::{BreakerState, DUE_COUNTED, Engine, Known, LastAttempt};
use asyncmcp_delivery::job;
use asyncmcp_delivery::verdict::Verdict;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::view::{self, WaitingFor};
use super::waiting;

/// The receivers that this process knows of.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::admin) struct Receivers {
    /// First those that get no attempts, then those with the newest attempts; at most 200.
    pub(in crate::admin) receivers: Vec<KnownReceiver>,
    /// How many more there are.
    pub(in crate::admin) left_out: usize,
}

/// Whether a receiver gets attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum ReceiverState {
    /// It asked for no more attempts (`webhook-delivery: disable`).
    Disabled,
    /// Its circuit breaker is open: most of its recent attempts failed.
    BreakerOpen,
    /// It asked for a pause (`Retry-After`).
    Paused,
    /// What is due waits for something else; `waitingFor` names it.
    Waiting,
    /// Its circuit breaker lets a few attempts through.
    HalfOpen,
    /// An attempt is in progress.
    Sending,
    /// Something is due, now or later.
    Due,
    /// Nothing is due.
    Idle,
}

/// One receiver.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::admin) struct KnownReceiver {
    /// A name that stands for its whole URL, as `receiver` of `/why` takes it.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub(in crate::admin) id: String,
    /// Its URL without query and user info; null while that cannot be read.
    pub(in crate::admin) url: Option<String>,
    /// Who named it: `session`, `call` or `route`; null as `url` is.
    pub(in crate::admin) named_by: Option<&'static str>,
    /// Whether it gets attempts.
    pub(in crate::admin) state: ReceiverState,
    /// Until when it is in this state at least, where that is known.
    #[schema(format = DateTime)]
    pub(in crate::admin) until: Option<String>,
    /// What a due delivery waits for; null where it may begin.
    pub(in crate::admin) waiting_for: Option<WaitingFor>,
    /// Deliveries that wait for an attempt, now or later; 100 stands for as many or more.
    #[schema(maximum = 100)]
    pub(in crate::admin) due: usize,
    /// When the earliest of them is due.
    #[schema(format = DateTime)]
    pub(in crate::admin) next_attempt_at: Option<String>,
    /// Attempts in progress.
    pub(in crate::admin) in_flight: usize,
    /// How many may be, to all receivers of its scheme, host and port together (`webhook.perReceiver.maxInFlight`).
    pub(in crate::admin) max_in_flight: usize,
    /// Attempts per second to the same (`webhook.perReceiver.ratePerSecond`); null without a limit.
    pub(in crate::admin) rate_per_second: Option<u32>,
    /// The last attempt by this process.
    pub(in crate::admin) last_attempt: Option<ReceiverAttempt>,
    /// When this process delivered something to it last.
    #[schema(format = DateTime)]
    pub(in crate::admin) last_delivered_at: Option<String>,
}

/// How an attempt at a receiver went.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct ReceiverAttempt {
    /// When it ended.
    #[schema(format = DateTime)]
    pub(in crate::admin) at: String,
    /// `delivered`, `retry` or `dead`.
    pub(in crate::admin) outcome: &'static str,
    /// The answer's HTTP status; null where there was none.
    pub(in crate::admin) status: Option<u16>,
    /// What was wrong: a category, or `resolver`, `descriptors`, `client` for a fault on this side.
    pub(in crate::admin) category: Option<&'static str>,
}

/// Lists the receivers with something due, in progress or failed, and those that got an attempt since the process began.
#[utoipa::path(
    get,
    path = "/receivers",
    operation_id = "listReceivers",
    responses(
        (status = 200, description = "The receivers.", body = Receivers),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This process has no token.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
) -> Result<Json<Receivers>, Problem> {
    Ok(Json(read(&engine, &clock).await?))
}

/// The receivers as they are shown.
pub(in crate::admin) async fn read(engine: &Engine, clock: &Clock) -> Result<Receivers, Problem> {
    let known = engine.known_receivers().await?;
    let receivers = known.receivers.into_iter();
    Ok(Receivers {
        receivers: receivers.map(|known| shown(engine, clock, known)).collect(),
        left_out: known.left_out,
    })
}

/// The name that stands for a receiver's URL.
pub(super) fn id(receiver: job::Receiver) -> String {
    let (origin, url) = (
        u64::from_be_bytes(receiver.origin.0),
        u64::from_be_bytes(receiver.url.0),
    );
    format!("{origin:016x}{url:016x}")
}

/// One receiver as it is shown.
pub(super) fn shown(engine: &Engine, clock: &Clock, known: Known) -> KnownReceiver {
    let time = |at: Millis| clock.shown(at).to_string();
    let (state, until) = state(&known);
    let limits = engine.per_receiver();
    KnownReceiver {
        id: id(known.receiver),
        url: known.target.as_ref().map(|target| view::shown_url(&target.url)),
        named_by: known
            .target
            .as_ref()
            .map(|target| view::named_by(target.named_by)),
        state,
        until: until.map(time),
        waiting_for: known.waiting.map(|waiting| waiting::of(clock, waiting)),
        due: known.due.min(DUE_COUNTED),
        next_attempt_at: known.next.map(time),
        in_flight: known.in_flight,
        max_in_flight: limits.max_in_flight,
        rate_per_second: limits.rate,
        last_delivered_at: known.last.as_ref().and_then(|last| last.delivered).map(time),
        last_attempt: known.last.map(|last| attempt(clock, &last)),
    }
}

/// Where it is, and until when; the most serious reason comes first.
pub(super) fn state(known: &Known) -> (ReceiverState, Option<Millis>) {
    if known.disabled_until.is_some() {
        return (ReceiverState::Disabled, known.disabled_until);
    }
    if let BreakerState::Open { until } = known.breaker {
        return (ReceiverState::BreakerOpen, Some(until));
    }
    if known.paused_until.is_some() {
        return (ReceiverState::Paused, known.paused_until);
    }
    let state = match known {
        Known { waiting: Some(_), .. } => ReceiverState::Waiting,
        Known {
            breaker: BreakerState::HalfOpen,
            ..
        } => ReceiverState::HalfOpen,
        Known { in_flight: 1.., .. } => ReceiverState::Sending,
        Known { due: 1.., .. } => ReceiverState::Due,
        _ => ReceiverState::Idle,
    };
    (state, known.waiting.and_then(|waiting| waiting.until))
}

fn attempt(clock: &Clock, last: &LastAttempt) -> ReceiverAttempt {
    ReceiverAttempt {
        at: clock.shown(last.at).to_string(),
        outcome: last.outcome.as_str(),
        status: last.status,
        category: category(last.verdict),
    }
}

/// What was wrong.
pub(super) fn category(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Requeue(fault) => Some(fault.as_str()),
        verdict => verdict.category().map(asyncmcp_delivery::state::Category::as_str),
    }
}
