//! `POST /try`: sends one signed test delivery to a receiver and says how it went.
//!
//! Invariant: it goes the way of every delivery, under the policy of the route, and no job is made or changed.

use std::sync::Arc;

use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::trial::{Trial, TrialError};
use asyncmcp_delivery::job::Target;
use asyncmcp_delivery::verdict::Verdict;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::problem::Problem;
use super::{body, query, receivers};
use crate::config::Live;

/// Where to send it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Try {
    /// The receiver's URL, or `default`: the route's `webhook.receivers.default`. What is not a URL is refused by the policy.
    #[schema(min_length = 1, max_length = 2048)]
    receiver: String,
}

/// How a test delivery went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::admin) struct Tried {
    /// Whether the receiver answered 2xx.
    pub(in crate::admin) delivered: bool,
    /// The `webhook-id` that it carried.
    pub(in crate::admin) webhook_id: String,
    /// The answer's HTTP status; null where there was none.
    pub(in crate::admin) status: Option<u16>,
    /// How long it took, in milliseconds.
    pub(in crate::admin) duration_ms: u64,
    /// What was wrong: a category, or `resolver`, `descriptors`, `client` for a fault on this side.
    pub(in crate::admin) category: Option<&'static str>,
    /// Whether it was signed: with the route's key for the route's own receiver, else with the key that is derived for the
    /// receiver's origin.
    pub(in crate::admin) signed: bool,
    /// The same for people.
    pub(in crate::admin) message: String,
}

/// Sends one signed test delivery: `ce-type` is `dev.asyncmcp.test.v1`, the body a JSON-RPC response. It goes through the
/// same policy, resolver, signature and timeout as every delivery, also where the receiver's circuit breaker is open; it
/// is not a job, is never retried, and counts neither for the breaker nor for a limit. At most 10 per minute.
#[utoipa::path(
    post,
    path = "/try",
    operation_id = "tryReceiver",
    request_body = Try,
    responses(
        (status = 200, description = "How it went; also where the receiver failed or the policy refuses it.", body = Tried),
        (status = 400, description = "The body is not as it should be.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This token only views, or this process has none.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nothing can be sent: a key is missing, or the process is shutting down.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not announced as JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "There were too many within a minute.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn send(
    State(engine): State<Arc<Engine>>,
    State(live): State<Live>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tried>, Problem> {
    let asked: Try = body::read(&headers, body).await?;
    Ok(Json(run(&engine, &live, &asked.receiver).await?))
}

/// Sends a test delivery to `receiver`.
pub(in crate::admin) async fn run(engine: &Engine, live: &Live, receiver: &str) -> Result<Tried, Problem> {
    let target = target(live, receiver)?;
    let tried = engine.try_receiver(target, test_body(live)).await;
    tried.map(shown).map_err(|error| problem(&error))
}

fn target(live: &Live, receiver: &str) -> Result<Target, Problem> {
    query::check_text("receiver", receiver, 2048)?;
    let config = Arc::clone(&live.borrow());
    let default = config.route.webhook.receivers.default.as_ref();
    let default = default.map(|default| default.url.as_str());
    let notify = config.route.webhook.notify.as_ref();
    let notify = notify.map(|notify| notify.url.as_str());
    let (url, named_by) = match (receiver, default) {
        ("default", Some(url)) => (url, NamedBy::Default),
        ("default", None) => {
            return Err(Problem::field(
                "receiver",
                "the route has no webhook.receivers.default; give a URL",
            ));
        }
        (url, default) if Some(url) == default => (url, NamedBy::Default),
        (url, _) if Some(url) == notify => (url, NamedBy::Notify),
        (url, _) => (url, NamedBy::Call),
    };
    Ok(Target {
        url: url.to_owned(),
        named_by,
        secret: None,
    })
}

/// What a receiver of results can read: a response that says what it is.
fn test_body(live: &Live) -> Bytes {
    let config = Arc::clone(&live.borrow());
    let text = format!(
        "This is a test delivery of the route {}/{}. No tool was called.",
        config.route.namespace, config.route.name
    );
    let body = json!({
        "jsonrpc": "2.0",
        "id": "asyncmcp-test",
        "result": {"content": [{"type": "text", "text": text}], "isError": false},
    });
    body.to_string().into()
}

fn shown(
    Trial {
        webhook_id,
        attempt,
        signed,
    }: Trial,
) -> Tried {
    Tried {
        delivered: attempt.verdict == Verdict::Delivered,
        webhook_id,
        status: attempt.status,
        duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        category: receivers::category(attempt.verdict),
        signed,
        message: message(attempt.verdict, attempt.status),
    }
}

fn message(verdict: Verdict, status: Option<u16>) -> String {
    let category = receivers::category(verdict).unwrap_or_default();
    match (verdict, status) {
        (Verdict::Delivered, Some(status)) => format!("delivered: the receiver answered {status}"),
        (Verdict::Refused(refusal), _) => format!("not sent: {refusal}"),
        (Verdict::Requeue(_), _) => {
            format!("not sent, because of a fault on this side ({category}); see the log")
        }
        (_, Some(status)) => format!("not delivered: the receiver answered {status}"),
        (_, None) => format!("not delivered: there was no answer ({category})"),
    }
}

fn problem(error: &TrialError) -> Problem {
    let status = match error {
        TrialError::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        TrialError::Waiting(_) => StatusCode::CONFLICT,
    };
    Problem::new(status, error.to_string())
}
