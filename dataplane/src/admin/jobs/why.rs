//! `GET /why`: why nothing has arrived at a receiver, or where a call's result is, in one sentence.
//!
//! [`of_receiver`] and [`of_job`] find the answer. Invariant: an answer is read from what is known at this moment, bounded
//! like every other one, and its reason is from a closed set that is never renamed.

mod job;
mod receiver;

use std::sync::Arc;

use asyncmcp_delivery::clock::{Clock, Millis};
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::waiting::Reason;
use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

pub(in crate::admin) use self::job::of_job;
pub(in crate::admin) use self::receiver::of_receiver;
use super::problem::Problem;
use crate::config::Live;

/// The longest query string.
const MAX_QUERY: usize = 8192;

/// Why nothing has arrived, or that it has.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::admin) struct Why {
    /// `delivered`; `refused` by the egress policy; `nothing_due`; where the job is: `queued`, `executing`, `sending`,
    /// `dead`, `stopped` or `ended`; or what it waits for: `retry`, `breaker`, `disabled`, `paused`, `rate`, `in_flight`,
    /// `signing_key`, `header`, `store_key`, `server`, `server_gone`, `store_space`, `running` (limits of running calls),
    /// `shutting_down` or `turn`.
    pub(in crate::admin) reason: &'static str,
    /// The answer in one sentence.
    pub(in crate::admin) sentence: String,
    /// When it happened.
    #[schema(format = DateTime)]
    pub(in crate::admin) at: Option<String>,
    /// Until when it is so at least, where that is known.
    #[schema(format = DateTime)]
    pub(in crate::admin) until: Option<String>,
    /// The HTTP status of the last attempt, where it is known.
    pub(in crate::admin) status: Option<u16>,
    /// What was wrong with the last attempt: a category.
    pub(in crate::admin) category: Option<&'static str>,
    /// The job that it is about.
    #[schema(pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    pub(in crate::admin) job: Option<String>,
    /// The receiver that it is about, without query and user info.
    pub(in crate::admin) receiver: Option<String>,
}

/// What an answer is read from.
#[derive(Clone, Copy)]
pub(in crate::admin) struct Sources<'a> {
    pub(in crate::admin) engine: &'a Engine,
    pub(in crate::admin) clock: &'a Clock,
    pub(in crate::admin) live: &'a Live,
}

impl Sources<'_> {
    /// A time of the store as JSON has it.
    fn time(&self, at: Millis) -> String {
        self.clock.shown(at).to_string()
    }

    /// The same in a sentence: without fractions of a second.
    fn said(&self, at: Millis) -> String {
        let text = self.time(at);
        match text.split_once('.') {
            Some((seconds, _)) => format!("{seconds}Z"),
            None => text,
        }
    }
}

/// What something waits for, as `/why` names it: a pause that a receiver asked for is `paused` there.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Receiver => "paused",
        reason => reason.as_str(),
    }
}

/// Says in one sentence why nothing has arrived at a receiver, or where the result of a call is.
#[utoipa::path(
    get,
    path = "/why",
    operation_id = "why",
    params(
        ("receiver" = Option<String>, Query, nullable = false, min_length = 1, max_length = 2048,
            description = "The receiver's URL, with or without its query, or its `id` of `/receivers`. Give this or `job`."),
        ("job" = Option<String>, Query, nullable = false,
            pattern = "^([0-7][0-9a-hjkmnp-tv-z]{25}|msg_[0-9a-f]{32})$",
            description = "The job's id, or the `webhook-id` of its attempts."),
    ),
    responses(
        (status = 200, description = "The answer.", body = Why),
        (status = 400, description = "A parameter is not as it should be.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The token is missing or wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "This process has no token.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is down.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn answer(
    State(engine): State<Arc<Engine>>,
    State(clock): State<Clock>,
    State(live): State<Live>,
    RawQuery(query): RawQuery,
) -> Result<Json<Why>, Problem> {
    let sources = Sources {
        engine: &engine,
        clock: &clock,
        live: &live,
    };
    let why = match asked(query.as_deref().unwrap_or_default())? {
        Asked::Receiver(text) => of_receiver(sources, &text).await?,
        Asked::Job(text) => of_job(sources, &text).await?,
    };
    Ok(Json(why))
}

enum Asked {
    Receiver(String),
    Job(String),
}

fn asked(query: &str) -> Result<Asked, Problem> {
    if query.len() > MAX_QUERY {
        return Err(Problem::field(
            "query",
            format!("the query is longer than {MAX_QUERY} bytes"),
        ));
    }
    let (mut receiver, mut job) = (None, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*name {
            "receiver" => &mut receiver,
            "job" => &mut job,
            other => {
                let other: String = other.chars().take(64).collect();
                return Err(Problem::field(&other, "is not a parameter; give receiver or job"));
            }
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(Problem::field(&name, "is given twice; give it once"));
        }
    }
    match (receiver, job) {
        (Some(receiver), None) => Ok(Asked::Receiver(receiver)),
        (None, Some(job)) => Ok(Asked::Job(job)),
        _ => Err(Problem::field("receiver", "give either receiver or job")),
    }
}
