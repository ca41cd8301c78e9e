//! The legacy era (MCP 2025-03-26 to 2025-11-25): `initialize` opens a session, and every
//! later message carries its id; with `transport.stateless` there are none.
//!
//! [`super::post`] hands it every body of that era; GET and DELETE ask it whose session it is. Invariant: behind the
//! session every outcome of a request is a JSON-RPC message with status 200, or 202; there is no caller for an id that is unknown,
//! expired or revoked, or of which nobody can say whether it is revoked.

use std::collections::HashSet;
use std::sync::Arc;

use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_protocol::batch::{self, Body};
use asyncmcp_protocol::initialize::{ClientCapabilities, InitializeParams, InitializeResult};
use asyncmcp_protocol::listing::Kind;
use asyncmcp_protocol::{Message, RawObject, Request, Version, header, message};
use axum::response::Response;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue};

use super::accept::Kinds;
use super::{Edge, door, stream};
use crate::caller::Caller;
use crate::caller::access::Access;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::{self, Error};
use crate::caller::session::{self, LegacySession};
use crate::caller::trace::TraceHeaders;
use crate::calls::Context;
use crate::config::Config;

/// The messages of a batch that are answered at the same time.
const BATCH_CONCURRENCY: usize = 16;

pub(super) async fn answer(
    edge: &Edge,
    config: Arc<Config>,
    (headers, kinds, access): (&HeaderMap, Kinds, &Access),
    body: Body,
) -> Result<Response, Error> {
    let trace = TraceHeaders::of(headers);
    let body = match body {
        Body::One(Message::Request(request)) if request.method == "initialize" => {
            return Ok(initialize(edge, &config, (&request, access), (&trace, kinds)));
        }
        body => body,
    };
    let caller = match (caller(edge, &config, (headers, access)).await, &body) {
        // A client that waits for this id would wait for ever after a 503.
        (Err(error @ Error::Unchecked(_)), Body::One(Message::Request(request))) => {
            return Ok(respond::json(error.to_response(Some(request.id.clone()))));
        }
        (caller, _) => caller?,
    };
    let batches = caller.version.has_batches();
    let context = Context {
        calls: Arc::clone(&edge.calls),
        json_only: config.route.transport.json_response || !kinds.stream,
        caller: Arc::new(caller),
        config,
    };
    let answer = match body {
        Body::One(message) => context.answer(message, &trace).await,
        Body::Batch(_) if !batches => return Err(Error::Batch),
        Body::Batch(messages) => all(context, messages, &trace).await,
    };
    Ok(stream::http(answer, kinds, &edge.calls.metrics))
}

/// The caller that sent these headers. Another principal's session is unknown to it.
pub(super) async fn caller(
    edge: &Edge,
    config: &Config,
    (headers, access): (&HeaderMap, &Access),
) -> Result<Caller, Error> {
    check_version(headers)?;
    let id = match headers.get(header::SESSION_ID) {
        None if config.route.transport.stateless => return Ok(stateless(headers, access)),
        id => id.ok_or(Error::NoSession)?,
    };
    let id = id.to_str().map_err(|_| session::Error::Unknown)?;
    let age = (edge.calls.clock.now(), config.route.transport.lifetime);
    let session = LegacySession::open(&edge.ring, &config.identity(), id, age)?;
    if session.principal != access.principal {
        return Err(session::Error::Unknown.into());
    }
    let mut caller = Caller::in_session(session, access);
    // Read once for each session: one that is in use goes on while the store is down.
    if edge
        .calls
        .lines
        .is_revoked(&caller)
        .await
        .map_err(Error::Unchecked)?
    {
        return Err(session::Error::Revoked.into());
    }
    if config.route.transport.json_response {
        // A server's request could not be passed on, so servers see a client without capabilities.
        caller.capabilities = ClientCapabilities::NONE;
    }
    if let Some(scope) = caller.scope {
        edge.calls.metrics.seen(scope);
    }
    Ok(caller)
}

/// A version that is not named is the oldest (2025-11-25, "Protocol Version Header").
fn stateless(headers: &HeaderMap, access: &Access) -> Caller {
    let version = door::version(headers).and_then(Version::parse);
    Caller::stateless(version.unwrap_or(Version::V2025_03_26), access)
}

/// Absent, the version is the session's; a version with which there are no sessions is refused.
fn check_version(headers: &HeaderMap) -> Result<(), Error> {
    match door::version(headers) {
        Some(named) if !Version::LEGACY.iter().any(|known| known.as_str() == named) => {
            Err(Error::Version(named.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Opens a session. Asks no server, so that it answers whatever state they are in.
fn initialize(
    edge: &Edge,
    config: &Config,
    (request, access): (&Request, &Access),
    (headers, kinds): (&TraceHeaders, Kinds),
) -> Response {
    let trace = headers.or_of(request.meta().as_ref());
    let mut operation = Operation::begin(&edge.calls.metrics, "initialize", &trace);
    match open(edge, config, (request, access)) {
        Ok((session, result)) => {
            let answer = Answer::result(request.id.clone(), &result.to_raw());
            let mut response = stream::http(answer, kinds, &edge.calls.metrics);
            if config.route.transport.stateless {
                return response;
            }
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

fn open(
    edge: &Edge,
    config: &Config,
    (request, access): (&Request, &Access),
) -> Result<(LegacySession, InitializeResult), Error> {
    if let Some(account) = &access.account {
        edge.calls.permit(config, account)?;
    }
    let none = RawObject::new();
    let params = InitializeParams::parse(request.params.as_ref().unwrap_or(&none))?;
    let is_stateless = config.route.transport.stateless;
    if let Some(url) = &params.webhook_url {
        if is_stateless {
            return Err(Error::StatelessReceiver);
        }
        edge.calls.engine.check_receiver(NamedBy::Session, url)?;
    }
    let (now, lifetime) = (edge.calls.clock.now(), config.route.transport.lifetime);
    let session = LegacySession::of(params, access.principal, rand::random(), (now, lifetime));
    let result = InitializeResult::of_gateway(
        session.version,
        env!("CARGO_PKG_VERSION"),
        edge.calls.catalogue.instructions(),
    )
    .offering_tasks(access.principal.is_some());
    let result = if is_stateless {
        result.without_sessions()
    } else {
        result
    };
    Ok((session, result))
}

/// Answers a batch (2025-03-26): with the responses as one array, or with nothing. Where there are responses, nothing can
/// tell that a message without one was refused.
async fn all(
    context: Context,
    messages: Vec<Result<Message, message::Error>>,
    trace: &TraceHeaders,
) -> Answer {
    let context = Context {
        json_only: true,
        ..context
    };
    let mut listed = HashSet::new();
    let messages = messages.into_iter().map(|message| match message {
        Ok(Message::Request(request))
            if Kind::of_method(&request.method).is_some_and(|kind| !listed.insert(kind)) =>
        {
            Err(request.id)
        }
        message => Ok(message),
    });
    let parts = futures::stream::iter(messages).map(async |message| match message {
        Ok(message) => part(&context, message, trace).await,
        Err(id) => Ok(Some(Error::ListedInBatch.to_response(Some(id)).into())),
    });
    let parts: Vec<_> = parts.buffered(BATCH_CONCURRENCY).collect().await;
    let mut refused = None;
    let mut responses = Vec::new();
    for part in parts {
        match part {
            Ok(response) => responses.extend(response),
            Err(error) => refused = Some(error),
        }
    }
    match (responses.is_empty(), refused) {
        (false, _) => Answer::Json(batch::to_bytes(&responses).into()),
        (true, Some(error)) => Answer::Refused(error),
        (true, None) => Answer::Accepted,
    }
}

/// What one message of a batch adds to the answer, or why a message without a response was refused.
async fn part(
    context: &Context,
    message: Result<Message, message::Error>,
    trace: &TraceHeaders,
) -> Result<Option<Vec<u8>>, Error> {
    match message {
        Err(error) => Ok(Some(error.to_response().to_bytes())),
        Ok(Message::Request(request)) if request.method == "initialize" => Ok(Some(
            Error::InitializeInBatch.to_response(Some(request.id)).into(),
        )),
        Ok(message) => match context.answer(message, trace).await {
            Answer::Refused(error) => Err(error),
            answer => Ok(answer.whole().await.map(Vec::from)),
        },
    }
}
