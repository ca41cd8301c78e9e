//! What is asked for, from a query string or a body, checked field by field.
//!
//! [`super::list`] and [`super::bulk`] read it. Invariant: a parameter that is unknown, is given twice or
//! cannot be read is an error that names it; nothing is ignored.

use std::str::FromStr;

use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::engine::jobs::{MOST, Query};
use asyncmcp_delivery::id::{JobId, WebhookId};
use asyncmcp_delivery::job::{Key, Receiver};
use asyncmcp_delivery::state::{Category, Stage};
use asyncmcp_delivery::store::scan::{Cursor, Filter, Order};
use serde::Deserialize;
use utoipa::ToSchema;

use super::problem::Problem;

/// The longest query string.
const MAX_QUERY: usize = 4096;
/// Jobs on a page, if no limit is given.
const USUAL_LIMIT: usize = 50;

/// Which jobs, as whoever asks wrote it. What is absent asks for nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Selection {
    /// `queued`, `running`, `due`, `sending`, `delivered`, `dead`, `stopped` or `ended`.
    #[schema(value_type = Option<super::view::State>)]
    pub(crate) state: Option<String>,
    /// The tool's name as clients see it.
    #[schema(min_length = 1, max_length = 128)]
    pub(crate) tool: Option<String>,
    /// The server's name in the route.
    #[schema(min_length = 1, max_length = 63)]
    pub(crate) server: Option<String>,
    /// The client, as `client` of a job names it.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) client: Option<String>,
    /// The receiver's host, or its whole URL.
    #[schema(min_length = 1, max_length = 2048)]
    pub(crate) receiver: Option<String>,
    /// Why the delivery is a dead letter.
    #[schema(value_type = Option<super::view::Category>)]
    pub(crate) dead_reason: Option<String>,
    /// Why the last attempt failed.
    #[schema(value_type = Option<super::view::Category>)]
    pub(crate) last_failure: Option<String>,
    /// Accepted at this time or later (RFC 3339).
    #[schema(format = DateTime)]
    pub(crate) since: Option<String>,
    /// Accepted before this time (RFC 3339).
    #[schema(format = DateTime)]
    pub(crate) until: Option<String>,
    /// The `webhook-id` of its attempts.
    #[schema(pattern = "^msg_[0-9a-f]{32}$")]
    pub(crate) webhook_id: Option<String>,
    /// `call`, or `notification` (of a dead letter).
    #[schema(value_type = Option<super::view::Kind>)]
    pub(crate) kind: Option<String>,
    /// The job's id, or the `webhook-id` of its attempts.
    #[schema(pattern = "^([0-7][0-9a-hjkmnp-tv-z]{25}|msg_[0-9a-f]{32})$")]
    pub(crate) id: Option<String>,
}

/// Which part of the answer, as whoever asks wrote it.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pub(crate) order: Order,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: usize,
}

/// Reads the query string of a list.
pub(crate) fn parse(query: &str) -> Result<(Query, Pages), Problem> {
    if query.len() > MAX_QUERY {
        let detail = format!("the query is longer than {MAX_QUERY} bytes");
        return Err(Problem::field("query", detail));
    }
    let (mut selection, mut given) = (Selection::default(), Given::default());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*name {
            "order" => &mut given.order,
            "cursor" => &mut given.cursor,
            "limit" => &mut given.limit,
            name => selection.slot(name).ok_or_else(|| unknown(name))?,
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(Problem::field(&name, "is given twice; give it once"));
        }
    }
    let pages = Pages {
        order: given
            .order
            .map_or(Ok(Order::default()), |order| order_of(&order))?,
        cursor: given.cursor.map(|cursor| cursor_of(&cursor)).transpose()?,
        limit: given.limit.map_or(Ok(USUAL_LIMIT), |limit| limit_of(&limit))?,
    };
    Ok((selection.query()?, pages))
}

/// A parameter of the path.
pub(crate) fn id(text: &str) -> Result<JobId, Problem> {
    of("id", text)
}

/// A value that is read from its text as it stands; the error names the parameter.
pub(super) fn of<T: FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error: T::Err| Problem::field(name, error.to_string()))
}

/// Where an earlier answer stopped.
pub(crate) fn cursor_of(text: &str) -> Result<Cursor, Problem> {
    of("cursor", text)
}

#[derive(Default)]
struct Given {
    order: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

fn unknown(name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    let known = "state, kind, tool, server, client, receiver, deadReason, lastFailure, since, until, webhookId, id, order, limit \
                 and cursor";
    Problem::field(&name, format!("is not a parameter; the parameters are {known}"))
}

fn order_of(text: &str) -> Result<Order, Problem> {
    match text {
        "newest" => Ok(Order::Newest),
        "oldest" => Ok(Order::Oldest),
        _ => Err(Problem::field("order", "must be newest or oldest")),
    }
}

/// How many; 5.0 is an integer too, as in JSON Schema.
pub(crate) fn limit_of(text: &str) -> Result<usize, Problem> {
    let digits = text.strip_suffix(".0").unwrap_or(text);
    let limit = digits.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| Problem::field("limit", format!("must be a number from 1 to {MOST}")))
}

impl Selection {
    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "state" => Some(&mut self.state),
            "tool" => Some(&mut self.tool),
            "server" => Some(&mut self.server),
            "client" => Some(&mut self.client),
            "receiver" => Some(&mut self.receiver),
            "deadReason" => Some(&mut self.dead_reason),
            "lastFailure" => Some(&mut self.last_failure),
            "since" => Some(&mut self.since),
            "until" => Some(&mut self.until),
            "webhookId" => Some(&mut self.webhook_id),
            "kind" => Some(&mut self.kind),
            "id" => Some(&mut self.id),
            _ => None,
        }
    }

    /// What the engine is asked for.
    pub(crate) fn query(self) -> Result<Query, Problem> {
        let tool = text("tool", self.tool, 128)?;
        let server = text("server", self.server, 63)?;
        let receiver = text("receiver", self.receiver, 2048)?;
        let is_url = receiver.as_ref().is_some_and(|receiver| receiver.contains("://"));
        let (url, host) = if is_url {
            (receiver, None)
        } else {
            (None, receiver)
        };
        let (id, webhook) = ids(self.id.as_deref(), self.webhook_id.as_deref())?;
        let filter = Filter {
            stage: read(self.state.as_deref(), stage_of)?,
            server: server.as_deref().map(Key::of),
            client: read(self.client.as_deref(), client_of)?,
            receiver: url.as_deref().map(Receiver::of),
            dead: read(self.dead_reason.as_deref(), |text| {
                category_of("deadReason", text)
            })?,
            last: read(self.last_failure.as_deref(), |text| {
                category_of("lastFailure", text)
            })?,
            id,
            since: read(self.since.as_deref(), |text| time_of("since", text))?,
            until: read(self.until.as_deref(), |text| time_of("until", text))?,
            webhook,
            notices: self.kind.as_deref().map(is_notice).transpose()?,
        };
        Ok(Query {
            filter,
            tool,
            host,
            ..Query::default()
        })
    }
}

/// A value that may be absent.
fn read<T>(text: Option<&str>, of: impl Fn(&str) -> Result<T, Problem>) -> Result<Option<T>, Problem> {
    text.map(of).transpose()
}

/// A job by either of its ids; `id` may be both kinds.
fn ids(id: Option<&str>, webhook: Option<&str>) -> Result<(Option<JobId>, Option<WebhookId>), Problem> {
    let given = read(webhook, |text| of("webhookId", text))?;
    match id {
        Some(text) if text.starts_with("msg_") => {
            if given.is_some() {
                let detail = "id is a webhook-id, and webhookId is given, too; give one of them";
                return Err(Problem::conflict(detail.to_owned()));
            }
            Ok((None, Some(of("id", text)?)))
        }
        Some(text) => Ok((Some(self::id(text)?), given)),
        None => Ok((None, given)),
    }
}

fn text(name: &str, value: Option<String>, most: usize) -> Result<Option<String>, Problem> {
    if let Some(text) = &value {
        check_text(name, text, most)?;
    }
    Ok(value)
}

/// Whether a text is not empty and not too long.
pub(super) fn check_text(name: &str, text: &str, most: usize) -> Result<(), Problem> {
    if text.is_empty() || text.chars().count() > most {
        return Err(Problem::field(name, format!("must have 1 to {most} characters")));
    }
    Ok(())
}

fn stage_of(text: &str) -> Result<Stage, Problem> {
    let found = Stage::ALL.into_iter().find(|stage| stage.as_str() == text);
    found.ok_or_else(|| Problem::field("state", one_of(&Stage::ALL.map(Stage::as_str))))
}

fn is_notice(text: &str) -> Result<bool, Problem> {
    match text {
        "call" => Ok(false),
        "notification" => Ok(true),
        _ => Err(Problem::field("kind", one_of(&["call", "notification"]))),
    }
}

fn category_of(name: &str, text: &str) -> Result<Category, Problem> {
    let found = Category::ALL.into_iter().find(|why| why.as_str() == text);
    found.ok_or_else(|| Problem::field(name, one_of(&Category::ALL.map(Category::as_str))))
}

fn one_of(words: &[&str]) -> String {
    format!("must be one of {}", words.join(", "))
}

/// The key of a client from the text that [`super::view`] makes of it.
fn client_of(text: &str) -> Result<Key, Problem> {
    let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let key = u64::from_str_radix(text, 16).ok().filter(|_| digits);
    let key = key.map(|key| Key(key.to_be_bytes()));
    key.ok_or_else(|| Problem::field("client", "must be 16 hexadecimal digits, like `client` of a job"))
}

fn time_of(name: &str, text: &str) -> Result<Millis, Problem> {
    let at = text.parse::<jiff::Timestamp>().ok();
    let at = at.map(|at| Millis(u64::try_from(at.as_millisecond()).unwrap_or(0)));
    at.ok_or_else(|| Problem::field(name, "must be an RFC 3339 time, such as 2026-11-22T08:30:00Z"))
}
