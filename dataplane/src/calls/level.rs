//! `logging/setLevel`: which log messages a legacy client wants, for its whole session.
//!
//! [`super::Context`] hands it each one; a modern client says so in each request. Invariant: what was answered with a
//! result is stored, and holds for every server that the session reaches later, too.

use std::sync::Arc;

use asyncmcp_protocol::log::Level;
use asyncmcp_protocol::{RawObject, Request};
use tracing::Instrument as _;

use super::Context;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;

/// Sets the level of the caller's session.
pub(super) async fn set(context: &Context, request: Request, mut operation: Operation) -> Answer {
    match attempt(context, &request).await {
        Ok(()) => Answer::result(request.id, &RawObject::new().to_raw()),
        Err(error) => Answer::refusal(&error, request.id, &mut operation),
    }
}

/// In a task of its own: a client that leaves in the middle would leave it set at some servers only.
async fn attempt(context: &Context, request: &Request) -> Result<(), Error> {
    if context.caller.scope.is_none() {
        return Err(Error::Method(request.method.clone())); // there is nothing that it could be set for
    }
    let level = level(request)?;
    let messages = &context.calls.in_progress.messages;
    let held = messages.take(&context.caller.account, 0).ok_or(Error::Busy)?;
    let (lines, caller) = (context.calls.lines.clone(), Arc::clone(&context.caller));
    let setting = async move {
        let _held = held;
        lines.set_level(&caller, level).await
    };
    let set = tokio::spawn(setting.in_current_span()).await;
    set.map_err(|_| Error::Closing)?.map_err(Error::Unsaved) // the runtime ends
}

fn level(request: &Request) -> Result<Level, Error> {
    let named = request.params.as_ref().and_then(|params| params.text("level"));
    named.and_then(|name| Level::parse(&name)).ok_or(Error::Params(
        "params.level must be one of debug, info, notice, warning, error, critical, alert, emergency",
    ))
}
