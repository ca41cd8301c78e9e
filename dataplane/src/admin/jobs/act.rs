//! What is done to one job: `POST /jobs/{id}/replay`, `/stop` and `/cancel`, and `DELETE /jobs/{id}`.
//!
//! Invariant: each is a compare-and-set; a job in another state is not changed, and the answer says which state it is in.

use std::sync::Arc;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::jobs::{ActError, Listed};
use asyncmcp_delivery::job;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::problem::Problem;
use super::{query, view, waiting};

/// Replays a dead or stopped delivery: the same webhook-id, a new timestamp and signature, new retries.
#[utoipa::path(
    post,
    path = "/jobs/{id}/replay",
    operation_id = "replayJob",
    params(("id" = String, Path, pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The job's id.")),
    responses(
        (status = 200, description = "The job as it is now.", body = view::Job),
        (status = 400, description = "This is not a job id.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The delivery is neither dead nor stopped, or its result was deleted to make room in the store.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn replay(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    Path(id): Path<String>,
) -> Result<Json<view::Job>, Problem> {
    let done = engine.replay(query::id(&id)?).await;
    answer(
        (&engine, &clock),
        done,
        "only a dead or stopped delivery is replayed",
    )
    .await
}

/// Stops a delivery: no further attempt, until it is replayed.
#[utoipa::path(
    post,
    path = "/jobs/{id}/stop",
    operation_id = "stopJob",
    params(("id" = String, Path, pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The job's id.")),
    responses(
        (status = 200, description = "The job as it is now.", body = view::Job),
        (status = 400, description = "This is not a job id.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No delivery is under way.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stop(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    Path(id): Path<String>,
) -> Result<Json<view::Job>, Problem> {
    let done = engine.stop(query::id(&id)?).await;
    answer(
        (&engine, &clock),
        done,
        "only a delivery that is due or sending is stopped; a call that is queued or running is cancelled",
    )
    .await
}

/// Cancels a call that has not ended; its receiver is notified.
#[utoipa::path(
    post,
    path = "/jobs/{id}/cancel",
    operation_id = "cancelJob",
    params(("id" = String, Path, pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The job's id.")),
    responses(
        (status = 200, description = "The job as it is now.", body = view::Job),
        (status = 400, description = "This is not a job id.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The call ended before.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    Path(id): Path<String>,
) -> Result<Json<view::Job>, Problem> {
    let done = engine.cancel_or_say(query::id(&id)?).await;
    answer(
        (&engine, &clock),
        done,
        "only a call that is queued or running is cancelled; its delivery is stopped",
    )
    .await
}

/// Deletes a job that is over: delivered, dead, stopped, or ended without a delivery. Its result goes with it, and the same
/// call, sent once more, is a new call.
#[utoipa::path(
    delete,
    path = "/jobs/{id}",
    operation_id = "deleteJob",
    params(("id" = String, Path, pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The job's id.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 400, description = "This is not a job id.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The call or its delivery is not over.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(engine): State<Arc<Engine>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let deleted = engine.delete(query::id(&id)?).await;
    let fix = "only a job that is over is deleted; cancel a call that is queued or running, stop a delivery that is due or \
               sending";
    deleted.map_err(|error| problem(error, fix))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why a job was not changed.
fn problem(error: ActError, fix: &str) -> Problem {
    match error {
        ActError::Impossible(_) => Problem::conflict(format!("{error}: {fix}")),
        other => other.into(),
    }
}

/// The job as it is now, or why it was not changed.
async fn answer(
    (engine, clock): (&Engine, &Clock),
    done: Result<job::Job, ActError>,
    fix: &str,
) -> Result<Json<view::Job>, Problem> {
    let job = done.map_err(|error| problem(error, fix))?;
    let listed = engine.show(job.id).await?.map(|shown| shown.listed);
    let listed = listed.unwrap_or(Listed { job, call: None });
    Ok(Json(waiting::listed(engine, clock, listed)))
}
