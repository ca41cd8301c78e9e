//! `resources/subscribe` and `resources/unsubscribe` of legacy clients: whose the resource is, and what the client is told.
//!
//! [`super::Context`] hands it each one; modern clients have [`super::listen`]. Invariant: a subscription that was answered
//! with a result is stored, and one that no server took is answered with what a server said.

use asyncmcp_protocol::subscriptions::MAX_URI;
use asyncmcp_protocol::{Outcome, RawObject, RawValue, Request, Response};
use tracing::Instrument as _;

use super::Context;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;
use crate::servers::lines::Unsubscribed;
use crate::servers::{self, Reply};

/// Subscribes to a resource, or ends that.
pub(super) async fn answer(context: &Context, request: Request, mut operation: Operation) -> Answer {
    match attempt(context, &request).await {
        Ok(Reply::Result(_)) => Answer::result(request.id, &RawObject::new().to_raw()),
        Ok(Reply::Error(error)) => {
            operation.failed("jsonrpc_error");
            refused(&request, error)
        }
        Err(error) => Answer::refusal(&error, request.id, &mut operation),
    }
}

/// In a task of its own: a client that leaves in the middle would leave a server subscribed to that nobody knows of.
async fn attempt(context: &Context, request: &Request) -> Result<Reply, Error> {
    if context.caller.scope.is_none() {
        return Err(Error::Method(request.method.clone())); // there is no stream that it could be heard on
    }
    let uri = uri(request)?;
    let calls = &context.calls.in_progress.calls;
    let held = calls
        .take(&context.caller.account, uri.len())
        .ok_or(Error::Busy)?;
    let begins = request.method == "resources/subscribe";
    let context = context.clone();
    let asking = async move {
        let _held = held;
        if begins {
            return subscribe(&context, &uri).await;
        }
        let ending = context.calls.lines.unsubscribe(&context.caller, &uri).await;
        ending.map_err(Error::Unsaved)?;
        Ok(Reply::Result(RawObject::new().to_raw()))
    };
    let asked = tokio::spawn(asking.in_current_span()).await;
    asked.map_err(|_| Error::Closing)? // the runtime ends
}

/// Asks the servers that may know the resource, one after another, until one takes the subscription.
async fn subscribe(context: &Context, uri: &str) -> Result<Reply, Error> {
    let (mut said, mut failed) = (None, None);
    for server in candidates(context, uri) {
        match context.calls.lines.subscribe(&context.caller, &server, uri).await {
            Ok(reply @ Reply::Result(_)) => return Ok(reply),
            Ok(Reply::Error(error)) => said = Some(error),
            Err(Unsubscribed::Server(error)) => failed = Some(failure(server, &error)),
            Err(Unsubscribed::Store(error)) => return Err(Error::Unsaved(error)),
            Err(Unsubscribed::Full) => return Err(Error::TooManySubscriptions),
        }
    }
    match (failed, said) {
        (Some(error), _) => Err(error), // it may have been that one's
        (None, Some(error)) => Ok(Reply::Error(error)),
        (None, None) => Err(Error::Params("params.uri is of no server of this route")),
    }
}

/// The servers that may know the resource and that the caller may use, those that are likeliest first.
pub(super) fn candidates(context: &Context, _uri: &str) -> Vec<String> {
    let route = &context.config.route;
    let open = route
        .servers
        .iter()
        .filter(|server| context.caller.grants.cover(server.scopes.iter()));
    let mut open: Vec<_> = open.map(|server| server.name.clone()).collect();
    open.sort();
    open
}

fn failure(server: String, error: &servers::Error) -> Error {
    tracing::info!(server, reason = error.reason(), %error, "a subscription failed");
    Error::Server {
        failure: error.failure(),
        server,
        asked: crate::caller::respond::server::Asked::Other,
    }
}

fn uri(request: &Request) -> Result<String, Error> {
    let uri = request.params.as_ref().and_then(|params| params.text("uri"));
    let uri = uri.filter(|uri| (1..=MAX_URI).contains(&uri.len()));
    uri.ok_or(Error::Params(
        "params.uri must be a string of at most 2048 bytes: the resource's URI",
    ))
}

fn refused(request: &Request, error: Box<RawValue>) -> Answer {
    let response = Response {
        id: Some(request.id.clone()),
        outcome: Outcome::Error(error),
        extra: RawObject::new(),
    };
    Answer::Json(response.to_bytes().into())
}
