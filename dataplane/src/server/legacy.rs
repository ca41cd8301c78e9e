//! The legacy era (MCP 2025-03-26 to 2025-11-25): `initialize` opens a session, and every
//! later message carries its id.
//!
//! [`super::post`] hands it every body of that era. Invariant: behind the session every
//! outcome is a JSON-RPC message with status 200, or 202.

use std::sync::Arc;

use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_protocol::batch::{self, Body};
use asyncmcp_protocol::initialize::{InitializeParams, InitializeResult};
use asyncmcp_protocol::{
    Id, Message, Notification, RawObject, RawValue, Request, Response as RpcResponse, header, message,
};
use axum::response::Response;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue};
use tracing::Instrument as _;

use super::{Answer, Client, Edge, call};
use crate::cancel;
use crate::config::Config;
use crate::operation::{self, Operation};
use crate::respond::{self, Error};
use crate::session::Session;
use crate::upstream::TraceHeaders;

/// The messages of a batch that are answered at the same time.
const BATCH_CONCURRENCY: usize = 16;

pub(super) async fn answer(
    edge: &Arc<Edge>,
    config: Arc<Config>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    let trace = TraceHeaders::of(headers);
    let body = match body {
        Body::One(Message::Request(request)) if request.method == "initialize" => {
            return Ok(initialize(edge, &config, &request, &trace));
        }
        body => body,
    };
    let client = Client::of(edge, config, headers).await?;
    match body {
        Body::One(message) => Ok(one(&client, message, &trace).await.into_http(&edge.metrics)),
        Body::Batch(_) if !client.session.version.has_batches() => Err(Error::Batch),
        Body::Batch(messages) => Ok(all(client, messages, &trace).await.into_http(&edge.metrics)),
    }
}

/// Opens a session. Asks no server, so that it answers whatever state they are in.
fn initialize(edge: &Edge, config: &Config, request: &Request, headers: &TraceHeaders) -> Response {
    let trace = operation::trace_of(request.meta().as_ref(), headers);
    let mut operation = Operation::begin(&edge.metrics, "initialize", &trace);
    match open(edge, config, request) {
        Ok((session, result)) => {
            let body = RpcResponse::result(request.id.clone(), result.to_raw()).to_bytes();
            let mut response = respond::json(body.into());
            let id = session.seal(&edge.ring, &config.identity(), rand::random());
            let id = HeaderValue::from_str(&id).expect("base64url and a dot");
            response.headers_mut().insert(header::SESSION_ID, id);
            response
        }
        Err(error) => {
            operation.failed(error.code().reason());
            error.answer(Some(request.id.clone()))
        }
    }
}

fn open(edge: &Edge, config: &Config, request: &Request) -> Result<(Session, InitializeResult), Error> {
    let none = RawObject::new();
    let params = InitializeParams::parse(request.params.as_ref().unwrap_or(&none))?;
    if let Some(url) = &params.webhook_url {
        edge.engine.check_receiver(NamedBy::Session, url)?;
    }
    let expires = edge.clock.now().plus(config.route.transport.lifetime);
    let session = Session::of(params, rand::random(), expires);
    let result = InitializeResult::of_gateway(
        session.version,
        env!("CARGO_PKG_VERSION"),
        edge.catalogue.instructions(),
    );
    Ok((session, result))
}

/// Answers one message.
async fn one(client: &Client, message: Message, headers: &TraceHeaders) -> Answer {
    match message {
        Message::Request(request) => ask(client, request, headers).await,
        Message::Notification(notification) => {
            take_note(client, &notification).await;
            Answer::Accepted
        }
        Message::Response(response) => {
            client.answer(response);
            Answer::Accepted
        }
    }
}

/// Answers a batch (2025-03-26): with the responses as one array, or with nothing.
async fn all(client: Client, messages: Vec<Result<Message, message::Error>>, trace: &TraceHeaders) -> Answer {
    let client = Client {
        json_only: true,
        ..client
    };
    let parts = futures::stream::iter(messages).map(|message| part(&client, message, trace));
    let parts: Vec<_> = parts.buffered(BATCH_CONCURRENCY).collect().await;
    let responses: Vec<_> = parts.into_iter().flatten().collect();
    if responses.is_empty() {
        Answer::Accepted
    } else {
        Answer::Json(batch::to_bytes(&responses).into())
    }
}

/// What one message of a batch adds to the answer.
async fn part(
    client: &Client,
    message: Result<Message, message::Error>,
    trace: &TraceHeaders,
) -> Option<Vec<u8>> {
    match message {
        Err(error) => Some(error.to_response().to_bytes()),
        Ok(Message::Request(request)) if request.method == "initialize" => {
            Some(Error::InitializeInBatch.to_response(Some(request.id)).into())
        }
        Ok(message) => one(client, message, trace).await.whole().await.map(Vec::from),
    }
}

async fn ask(client: &Client, request: Request, headers: &TraceHeaders) -> Answer {
    let trace = operation::trace_of(request.meta().as_ref(), headers);
    let operation = Operation::begin(&client.edge.metrics, &request.method, &trace);
    let span = operation.span().clone();
    let answer = respond_to(client, request, operation).instrument(span).await;
    if client.json_only {
        answer.whole().await.map_or(Answer::Accepted, Answer::Json)
    } else {
        answer
    }
}

async fn respond_to(client: &Client, request: Request, mut operation: Operation) -> Answer {
    match request.method.as_str() {
        "ping" => result(request.id, &RawObject::new().to_raw()),
        "tools/list" => list(client, request.id).await,
        "tools/call" => call::answer(client, request, operation).await,
        _ => refuse(&Error::Method(request.method), request.id, &mut operation),
    }
}

async fn list(client: &Client, id: Id) -> Answer {
    let tools = client.edge.catalogue.list(&client.identity).await;
    let tools: Box<RawValue> = serde_json::from_slice(&tools).expect("the catalogue writes JSON");
    result(id, &tools)
}

async fn take_note(client: &Client, notification: &Notification) {
    match notification.method.as_str() {
        // Servers' sessions are opened, and told so, when they are needed.
        "notifications/initialized" => {}
        "notifications/cancelled" => cancel::call(client, notification).await,
        _ => client.tell(notification),
    }
}

fn result(id: Id, result: &RawValue) -> Answer {
    Answer::Json(RpcResponse::result(id, result.to_owned()).to_bytes().into())
}

pub(super) fn refuse(error: &Error, id: Id, operation: &mut Operation) -> Answer {
    operation.failed(error.code().reason());
    Answer::Json(error.to_response(Some(id)))
}
