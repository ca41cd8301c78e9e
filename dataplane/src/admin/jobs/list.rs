//! `GET /jobs`: jobs by a filter, page by page.

use std::sync::Arc;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::jobs::Page;
use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::{query, times, view, waiting};

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Jobs {
    /// The jobs, in order. There may be none although there are more pages: the work of one request is bounded.
    jobs: Vec<view::Job>,
    /// What to give as `cursor` for the next page; null on the last one.
    cursor: Option<String>,
}

/// Lists jobs by acceptance, and dead letters (`state=dead`) by when they died.
#[utoipa::path(
    get,
    path = "/jobs",
    operation_id = "listJobs",
    params(
        ("state" = Option<view::State>, Query, nullable = false, description = "Where they are."),
        ("kind" = Option<view::Kind>, Query, nullable = false,
            description = "What they are: `call`, or `notification` (of a dead letter)."),
        ("tool" = Option<String>, Query, nullable = false, min_length = 1, max_length = 128,
            description = "Their tool as clients see it."),
        ("server" = Option<String>, Query, nullable = false, min_length = 1, max_length = 63,
            description = "Their server's name in the route."),
        ("client" = Option<String>, Query, nullable = false, pattern = "^[0-9a-f]{16}$",
            description = "Their client, as `client` of a job names it."),
        ("receiver" = Option<String>, Query, nullable = false, min_length = 1, max_length = 2048,
            description = "The host of their receiver, or its whole URL."),
        ("deadReason" = Option<view::Category>, Query, nullable = false,
            description = "Why they are dead letters."),
        ("lastFailure" = Option<view::Category>, Query, nullable = false,
            description = "Why their last attempt failed."),
        ("since" = Option<String>, Query, nullable = false, format = DateTime,
            description = "Accepted at this time or later (RFC 3339)."),
        ("until" = Option<String>, Query, nullable = false, format = DateTime,
            description = "Accepted before this time (RFC 3339)."),
        ("webhookId" = Option<String>, Query, nullable = false, pattern = "^msg_[0-9a-f]{32}$",
            description = "The `webhook-id` of their attempts. Pages may be empty although there is a cursor."),
        ("id" = Option<String>, Query, nullable = false,
            pattern = "^([0-7][0-9a-hjkmnp-tv-z]{25}|msg_[0-9a-f]{32})$",
            description = "The job with this id, or the `webhook-id` of its attempts."),
        ("order" = Option<Order>, Query, nullable = false, description = "Which come first: `newest`, or `oldest`."),
        ("limit" = Option<u32>, Query, nullable = false, minimum = 1, maximum = 500,
            description = "Jobs on a page: 50."),
        ("cursor" = Option<String>, Query, nullable = false,
            pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}-(0|[1-9][0-9]{0,14})$",
            description = "Where an earlier answer stopped."),
    ),
    responses(
        (status = 200, description = "A page of jobs.", body = Jobs),
        (status = 400, description = "A parameter is not as it should be.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This process has no token.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Both `id` and `webhookId` are a webhook-id.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    RawQuery(query): RawQuery,
) -> Result<Json<Jobs>, Problem> {
    let (query, pages) = query::parse(query.as_deref().unwrap_or_default())?;
    let page = Page {
        order: pages.order,
        after: pages.cursor,
        limit: pages.limit,
    };
    let listing = engine.list(&times::stored(&clock, query), page).await?;
    let listed = listing.jobs.into_iter();
    let shown = listed.map(|listed| waiting::listed(&engine, &clock, listed));
    Ok(Json(Jobs {
        jobs: shown.collect(),
        cursor: listing.next.map(|cursor| cursor.to_string()),
    }))
}

/// Which jobs come first.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "used by the document only; `query` reads the values")]
pub(super) enum Order {
    /// The newest.
    Newest,
    /// The oldest.
    Oldest,
}
