//! The modern era (MCP 2026-07-28): every request stands for itself, and says who sends it in its headers and `_meta`.
//!
//! [`super::post`] hands it every body of that era. Invariant: a request is answered only if its headers say the same as its
//! body; nothing of one request is remembered for the next one, and session and event ids are not looked at.

mod params;

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_protocol::batch::Body;
use asyncmcp_protocol::discover::DiscoverResult;
use asyncmcp_protocol::modern::{Envelope, Field, Headers, check_notification};
use asyncmcp_protocol::{Message, Request, header, translate};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http::HeaderMap;

use super::accept::Kinds;
use super::{Edge, stream};
use crate::caller::Caller;
use crate::caller::answer::Answer;
use crate::caller::operation::{Metrics, Operation};
use crate::caller::respond::Error;
use crate::caller::trace::TraceHeaders;
use crate::calls::Context;
use crate::config::Config;

/// What is offered beside `server/discover`. Everything else is answered as a method that does not exist.
const OFFERED: [&str; 2] = ["tools/list", "tools/call"];
/// How long a client may keep what `server/discover` says: servers' instructions may change.
const DISCOVER_TTL: Duration = Duration::from_mins(1);

/// Answers a body that `account` sent with these headers.
pub(super) async fn answer(
    edge: &Edge,
    config: Arc<Config>,
    (headers, kinds): (&HeaderMap, Kinds),
    (account, body): (String, Body),
) -> Result<Response, Error> {
    match body {
        Body::Batch(_) => Err(Error::ModernBatch),
        Body::One(Message::Response(_)) => Err(Error::ModernResponse),
        Body::One(Message::Notification(notification)) => {
            check_notification(&fields(headers), &notification)?;
            Ok(stream::http(Answer::Accepted, kinds, &edge.calls.metrics))
        }
        Body::One(Message::Request(asked)) => {
            let trace = TraceHeaders::of(headers);
            let answered = request(edge, config, (headers, kinds, &trace), (account, &asked)).await;
            Ok(answered.unwrap_or_else(|error| refuse(edge, &error, (&asked, &trace))))
        }
    }
}

async fn request(
    edge: &Edge,
    config: Arc<Config>,
    (headers, kinds, trace): (&HeaderMap, Kinds, &TraceHeaders),
    (account, request): (String, &Request),
) -> Result<Response, Error> {
    let envelope = Envelope::of_request(&fields(headers), &request.method, request.params.as_ref())?;
    params::check(&edge.calls, headers, request).await?;
    let metrics = &edge.calls.metrics;
    match request.method.as_str() {
        "server/discover" => Ok(written(discover(edge, request, trace), kinds, metrics)),
        method if OFFERED.contains(&method) => {
            let context = Context {
                calls: Arc::clone(&edge.calls),
                json_only: config.route.transport.json_response || !kinds.stream,
                caller: Arc::new(Caller::of_envelope(envelope, account)),
                config,
            };
            let answer = context.answer(Message::Request(request.clone()), trace).await;
            Ok(written(answer, kinds, metrics))
        }
        method => Err(Error::ModernMethod(method.to_owned())),
    }
}

/// What the gateway is. Asks no server, so that it answers whatever state they are in.
fn discover(edge: &Edge, request: &Request, trace: &TraceHeaders) -> Answer {
    let trace = trace.or_of(request.meta().as_ref());
    let _operation = Operation::begin(&edge.calls.metrics, &request.method, &trace);
    let result = DiscoverResult::of_gateway(edge.calls.catalogue.instructions());
    let result = result.to_raw(env!("CARGO_PKG_VERSION"), DISCOVER_TTL);
    Answer::result(request.id.clone(), &result)
}

/// The answer as modern clients read it, also where a legacy server gave it.
fn written(answer: Answer, kinds: Kinds, metrics: &Metrics) -> Response {
    match answer {
        Answer::Json(body) => stream::http(Answer::Json(modern(body)), kinds, metrics),
        Answer::Stream(messages) => {
            let messages = stream::received(messages).map(modern);
            stream::stream(messages, metrics.stream())
        }
        other => stream::http(other, kinds, metrics),
    }
}

fn modern(message: Bytes) -> Bytes {
    let Ok(Message::Response(mut response)) = Message::parse(&message) else {
        return message;
    };
    if !translate::to_modern(&mut response) {
        return message;
    }
    response.to_bytes().into()
}

fn refuse(edge: &Edge, error: &Error, (request, trace): (&Request, &TraceHeaders)) -> Response {
    let trace = trace.or_of(request.meta().as_ref());
    let mut operation = Operation::begin(&edge.calls.metrics, &request.method, &trace);
    operation.failed(error.code().reason());
    error.answer(Some(request.id.clone()))
}

fn fields(headers: &HeaderMap) -> Headers<'_> {
    Headers {
        version: field(headers, header::PROTOCOL_VERSION),
        method: field(headers, header::METHOD),
        name: field(headers, header::NAME),
    }
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> Field<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Field::Absent,
        (Some(value), None) => value.to_str().map_or(Field::Unusable, Field::Text),
        (Some(_), Some(_)) => Field::Unusable,
    }
}
