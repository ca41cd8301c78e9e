//! `POST /jobs/replay` and `POST /jobs/delete`: many dead letters, some at a time.
//!
//! Invariant: one request changes a bounded number of jobs, and repeating it with the cursor ends, although deliveries
//! that were replayed may fail for good again meanwhile.

use std::sync::Arc;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::jobs::Query;
use asyncmcp_delivery::state::Stage;
use asyncmcp_delivery::store::scan::Cursor;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::query::{self, Selection};
use super::{body, times};

/// Jobs that a request changes, if no limit is given.
const USUAL_LIMIT: usize = 100;

/// Which jobs to change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Bulk {
    /// Which jobs; all dead letters if absent.
    filter: Option<Selection>,
    /// At most this many, 100 if absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<serde_json::Number>,
    /// Where an earlier answer stopped.
    #[schema(pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}-(0|[1-9][0-9]{0,14})$")]
    cursor: Option<String>,
}

/// The result of a bulk replay.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkReplayed {
    /// How many are due again.
    replayed: usize,
    /// The `cursor` for the next request; null when there are no more.
    cursor: Option<String>,
}

/// The result of a bulk deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkDeleted {
    /// How many were deleted.
    deleted: usize,
    /// The `cursor` for the next request; null when there are no more.
    cursor: Option<String>,
}

/// A request that was read and checked.
struct Asked {
    query: Query,
    cursor: Option<Cursor>,
    limit: usize,
}

/// Has dead letters (with `filter.state` `stopped`: stopped deliveries) tried again, the newest first. They come
/// after all live deliveries that are due for the same receiver and use at most a quarter of its in-flight limit.
#[utoipa::path(
    post,
    path = "/jobs/replay",
    operation_id = "replayJobs",
    request_body = Bulk,
    responses(
        (status = 200, description = "How many were, and where to go on.", body = BulkReplayed),
        (status = 400, description = "The body is not as it should be.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Jobs in the filter's state are not replayed, or both `id` and `webhookId` are a webhook-id.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not announced as JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn replay_all(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BulkReplayed>, Problem> {
    let replayable = [Stage::Dead, Stage::Stopped];
    let asked = asked(&clock, &headers, body, (&replayable, "replayed")).await?;
    let done = engine.replay_all(&asked.query, asked.cursor, asked.limit).await?;
    Ok(Json(BulkReplayed {
        replayed: done.changed,
        cursor: done.next.map(|cursor| cursor.to_string()),
    }))
}

/// Deletes dead letters, or jobs in another final state (`filter.state`), with their results, the newest first. The same
/// call, sent once more, is a new call afterwards.
#[utoipa::path(
    post,
    path = "/jobs/delete",
    operation_id = "deleteJobs",
    request_body = Bulk,
    responses(
        (status = 200, description = "How many were deleted, and where to continue.", body = BulkDeleted),
        (status = 400, description = "The body is not as it should be.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Jobs in the filter's state are not deleted, or both `id` and `webhookId` are a webhook-id.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not announced as JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_all(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BulkDeleted>, Problem> {
    let over = [Stage::Dead, Stage::Stopped, Stage::Delivered, Stage::Ended];
    let asked = asked(&clock, &headers, body, (&over, "deleted")).await?;
    let done = engine.delete_all(&asked.query, asked.cursor, asked.limit).await?;
    Ok(Json(BulkDeleted {
        deleted: done.changed,
        cursor: done.next.map(|cursor| cursor.to_string()),
    }))
}

/// Reads a request about jobs in one of these states.
async fn asked(
    clock: &Clock,
    headers: &HeaderMap,
    body: Body,
    (states, done): (&[Stage], &str),
) -> Result<Asked, Problem> {
    let asked: Bulk = body::read(headers, body).await?;
    let query = asked.filter.unwrap_or_default().query()?;
    if query.filter.stage.is_some_and(|stage| !states.contains(&stage)) {
        let states: Vec<&str> = states.iter().map(|stage| stage.as_str()).collect();
        let states = states.join(" or ");
        let detail = format!("filter.state: must be {states}; only such jobs are {done}");
        return Err(Problem::conflict(detail));
    }
    let limit = asked.limit.map(|limit| query::limit_of(&limit.to_string()));
    Ok(Asked {
        query: times::stored(clock, query),
        cursor: asked.cursor.map(|cursor| query::cursor_of(&cursor)).transpose()?,
        limit: limit.unwrap_or(Ok(USUAL_LIMIT))?,
    })
}
