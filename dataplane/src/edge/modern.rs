//! The modern era (MCP 2026-07-28): every POST stands for itself and says who sends it.
//!
//! [`super::post`] hands it every body of that era. Invariant: nothing is read of a message whose headers and body
//! disagree; what answers it is of that era, whatever the server's is.

mod params;

use std::sync::Arc;

use asyncmcp_protocol::batch::Body;
use asyncmcp_protocol::code::Code;
use asyncmcp_protocol::initialize::InitializeResult;
use asyncmcp_protocol::modern::mirror::Field;
use asyncmcp_protocol::modern::{self, Envelope, Headers, result};
use asyncmcp_protocol::subscriptions::LISTEN;
use asyncmcp_protocol::{Message, Request, Response as RpcResponse, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::accept::Kinds;
use super::{Edge, stream};
use crate::caller::Caller;
use crate::caller::access::Access;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;
use crate::caller::trace::TraceHeaders;
use crate::calls::Context;
use crate::config::Config;

pub(super) async fn answer(
    edge: &Edge,
    config: Arc<Config>,
    (headers, kinds, access): (&HeaderMap, Kinds, &Access),
    body: Body,
) -> Response {
    let Body::One(message) = body else {
        return Error::from(modern::Error::Batch).answer(None);
    };
    match (modern::open(&mirrors(headers), &message), message) {
        (Ok(envelope), Message::Request(request)) => {
            if let Err(error) = params::check(&edge.calls, headers, &request).await {
                return error.answer(Some(request.id));
            }
            let context = context(edge, config, envelope, (kinds, access));
            respond(edge, &context, (request, &TraceHeaders::of(headers)), kinds).await
        }
        // A request ends with its connection, and nothing else is left to be notified of.
        (Ok(_), _) => StatusCode::ACCEPTED.into_response(),
        (Err(error), Message::Request(request)) => Error::from(error).answer(Some(request.id)),
        (Err(error), _) => Error::from(error).answer(None),
    }
}

/// The headers that repeat parts of the body.
fn mirrors(headers: &HeaderMap) -> Headers<'_> {
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
        (Some(value), None) => Field::Once(value.as_bytes()),
        (Some(_), Some(_)) => Field::Repeated,
    }
}

fn context(
    edge: &Edge,
    config: Arc<Config>,
    envelope: Envelope,
    (kinds, access): (Kinds, &Access),
) -> Context {
    Context {
        calls: Arc::clone(&edge.calls),
        json_only: config.route.transport.json_response || !kinds.stream,
        caller: Arc::new(Caller::without_session(envelope, access)),
        config,
    }
}

async fn respond(
    edge: &Edge,
    context: &Context,
    (request, headers): (Request, &TraceHeaders),
    kinds: Kinds,
) -> Response {
    let rewrite = match request.method.as_str() {
        "resources/read" => |message| complete(message, result::complete_read),
        _ => |message| complete(message, result::complete),
    };
    let answer = match request.method.as_str() {
        method if Context::offers(method) => context.answer(Message::Request(request), headers).await,
        LISTEN => context.listen(request, headers, edge.closing.clone()),
        method => {
            let trace = headers.or_of(request.meta().as_ref());
            let mut operation = Operation::begin(&edge.calls.metrics, method, &trace);
            if method != "server/discover" {
                operation.failed("method_not_found");
                return Error::NoMethod(request.method).answer(Some(request.id));
            }
            if let Err(error) = edge.calls.permit(&context.config, &context.caller.account) {
                operation.failed(error.code().reason());
                return error.answer(Some(request.id));
            }
            Answer::result(request.id, &result::discover(&about(edge), context.caching()))
        }
    };
    let lacks_capability = lacks_capability(&answer);
    let mut response = stream::rewritten(answer, kinds, &edge.calls.metrics, rewrite);
    if lacks_capability {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

/// Whether a server says that the client should declare a capability, which clients read from the status, too (2026-07-28,
/// Basic).
fn lacks_capability(answer: &Answer) -> bool {
    let Answer::Json(body) = answer else {
        return false;
    };
    match Message::parse(body) {
        Ok(Message::Response(response)) => response
            .error_object()
            .is_some_and(|error| error.code == Code::MissingClientCapability.value()),
        _ => false,
    }
}

/// What the gateway says of itself. Asks no server, so that it answers whatever state they are in.
fn about(edge: &Edge) -> InitializeResult {
    InitializeResult::of_gateway(
        asyncmcp_protocol::Version::MODERN[0],
        env!("CARGO_PKG_VERSION"),
        edge.calls.catalogue.instructions(),
    )
    .offering_tasks(false)
}

/// The message as a modern client expects it. Only responses differ.
fn complete(message: Bytes, completes: fn(&mut RpcResponse) -> bool) -> Bytes {
    let Ok(Message::Response(mut response)) = Message::parse(&message) else {
        return message;
    };
    if completes(&mut response) {
        response.to_bytes().into()
    } else {
        message
    }
}
