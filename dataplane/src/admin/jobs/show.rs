//! `GET /jobs/{id}`: one job with its attempts; `/jobs/{id}/request`: what was asked; `/jobs/{id}/result`: what is
//! delivered.
//!
//! Invariant: payloads pass byte for byte, and only where they are asked for.

use std::sync::Arc;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::jobs::ActError;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;

use super::problem::Problem;
use super::{json, query, view, waiting};

/// Shows a job and its attempts.
#[utoipa::path(
    get,
    path = "/jobs/{id}",
    operation_id = "showJob",
    params(("id" = String, Path, pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The job's id.")),
    responses(
        (status = 200, description = "The job.", body = view::Job),
        (status = 400, description = "This is not a job id.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This process has no token.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    Path(id): Path<String>,
) -> Result<Json<view::Job>, Problem> {
    let shown = engine.show(query::id(&id)?).await?;
    let shown = shown.ok_or(ActError::Unknown)?;
    Ok(Json(waiting::shown(&engine, &clock, shown)))
}

/// Gives what is delivered: the JSON-RPC response, byte for byte.
#[utoipa::path(
    get,
    path = "/jobs/{id}/result",
    operation_id = "showResult",
    params(("id" = String, Path, pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The job's id.")),
    responses(
        (status = 200, description = "The JSON-RPC response.", body = Object),
        (status = 400, description = "This is not a job id.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job, or it has no result: not yet, or it was deleted early.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down, or lacks the key of this result.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn result(
    State(engine): State<Arc<Engine>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    payload(
        engine.result(query::id(&id)?).await?,
        "there is no such job, or it has no result: the call has not ended, or the result was deleted to make room in the \
         store",
    )
}

/// Gives what was asked: the `params` of the call as its server gets them, byte for byte. They are kept until the call has
/// ended.
#[utoipa::path(
    get,
    path = "/jobs/{id}/request",
    operation_id = "showRequest",
    params(("id" = String, Path, pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The job's id.")),
    responses(
        (status = 200, description = "The params of `tools/call`.", body = Object),
        (status = 400, description = "This is not a job id.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job, or its call has ended.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down, or lacks the key of this request.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn request(
    State(engine): State<Arc<Engine>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    payload(
        engine.request(query::id(&id)?).await?,
        "there is no such job, or its call has ended: what was asked is kept until then",
    )
}

/// A payload as it is, or why there is none.
fn payload(bytes: Option<Bytes>, missing: &'static str) -> Result<Response, Problem> {
    bytes
        .map(json)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, missing))
}
