//! `GET /history`: what happened in the last hour, minute by minute.
//!
//! Invariant: read from memory; it answers while the store is down.

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::{self, Engine};
use asyncmcp_delivery::store;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;

/// The last hour.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct LastHour {
    /// Its minutes, oldest first; the last one is in progress. Fewer than 60 where the process is younger.
    pub(in crate::admin) minutes: Vec<Minute>,
}

/// One minute.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::admin) struct Minute {
    /// When it began.
    #[schema(format = DateTime)]
    pub(in crate::admin) at: String,
    /// Calls accepted.
    pub(in crate::admin) accepted: u64,
    /// Deliveries that reached their receivers.
    pub(in crate::admin) delivered: u64,
    /// Attempts that failed.
    pub(in crate::admin) failed_attempts: u64,
    /// Deliveries that became dead letters.
    pub(in crate::admin) dead: u64,
    /// Milliseconds from the result, or its replay, to the receiver's 2xx: the median, at most a tenth too large. Null
    /// where nothing was delivered.
    pub(in crate::admin) median_ms: Option<u64>,
    /// The 95th percentile of the same.
    pub(in crate::admin) p95_ms: Option<u64>,
    /// Jobs in each state when they were counted last in this minute; null where they were not counted.
    pub(in crate::admin) counts: Option<Counts>,
}

/// Jobs in each state.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(in crate::admin) struct Counts {
    /// Waiting for execution.
    pub(in crate::admin) queued: u64,
    /// Executing.
    pub(in crate::admin) running: u64,
    /// Waiting for an attempt.
    pub(in crate::admin) due: u64,
    /// In an attempt.
    pub(in crate::admin) sending: u64,
    /// Dead letters.
    pub(in crate::admin) dead: u64,
}

/// Shows the last hour: rates, times to delivery and counts, minute by minute. It is kept in memory and begins with the
/// process.
#[utoipa::path(
    get,
    path = "/history",
    operation_id = "showHistory",
    responses(
        (status = 200, description = "The minutes.", body = LastHour),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This process has no token.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(State(engine): State<Arc<Engine>>, State(clock): State<Clock>) -> Json<LastHour> {
    Json(read(&engine, &clock))
}

/// The last hour as it is shown.
pub(in crate::admin) fn read(engine: &Engine, clock: &Clock) -> LastHour {
    let minutes = engine.last_hour().into_iter();
    LastHour {
        minutes: minutes.map(|minute| shown(clock, minute)).collect(),
    }
}

fn shown(clock: &Clock, minute: engine::Minute) -> Minute {
    Minute {
        at: clock.shown(minute.start).to_string(),
        accepted: minute.accepted,
        delivered: minute.delivered,
        failed_attempts: minute.failed,
        dead: minute.dead,
        median_ms: minute.median.map(millis),
        p95_ms: minute.slow.map(millis),
        counts: minute.counts.map(Counts::from),
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

impl From<store::Counts> for Counts {
    fn from(counts: store::Counts) -> Self {
        Self {
            queued: counts.queued,
            running: counts.running,
            due: counts.due,
            sending: counts.sending,
            dead: counts.dead,
        }
    }
}
