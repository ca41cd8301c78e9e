//! The lists: what of tools, prompts, resources and resource templates a caller sees.
//!
//! [`super::Context`] hands it each of these requests. Invariant: a list without a session of the caller's counts as a call,
//! and one that lacks a server is not to be kept.

use std::sync::Arc;

use asyncmcp_protocol::listing::{self, Kind};
use asyncmcp_protocol::modern::result::{self, Caching};
use asyncmcp_protocol::version::Era;
use asyncmcp_protocol::{RawObject, RawValue, Request, tools};
use tracing::Instrument as _;

use super::Context;
use super::bound::Held;
use crate::caller::Caller;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;
use crate::servers::catalogue::{Catalogue, Entries, Listing, Unlisted};

/// What the servers answered.
enum Listed {
    Tools(Listing),
    Others(Entries),
}

/// Answers a list of this kind.
pub(super) async fn answer(
    context: &Context,
    kind: Kind,
    request: Request,
    mut operation: Operation,
) -> Answer {
    let cursor = match cursor(kind, request.params.as_ref()) {
        Ok(cursor) => cursor,
        Err(error) => return Answer::refusal(&error, request.id, &mut operation),
    };
    match listed(context, kind, cursor).await {
        Ok(listed) => Answer::result(request.id, &written(context, kind, listed)),
        Err(error) => Answer::refusal(&error, request.id, &mut operation),
    }
}

/// The cursor of a list that has pages.
fn cursor(kind: Kind, params: Option<&RawObject>) -> Result<Option<String>, Error> {
    let is_paged = matches!(kind, Kind::Resources | Kind::Templates);
    let Some(cursor) = params
        .and_then(|params| params.get("cursor"))
        .filter(|_| is_paged)
    else {
        return Ok(None);
    };
    let cursor = serde_json::from_str(cursor.get());
    cursor.map_err(|_| Error::Params("params.cursor must be a string: a nextCursor of the page before"))
}

/// In a task of its own: a client that leaves in the middle would leave sessions behind at the servers.
async fn listed(context: &Context, kind: Kind, cursor: Option<String>) -> Result<Listed, Error> {
    let held = hold(context)?;
    let (catalogue, caller) = (context.calls.catalogue.clone(), Arc::clone(&context.caller));
    let listing = async move {
        let _held = held;
        list(&catalogue, &caller, kind, cursor).await
    };
    let listing = tokio::spawn(listing.in_current_span()).await;
    listing.map_err(|_| Error::Closing)? // the runtime ends
}

async fn list(
    catalogue: &Catalogue,
    caller: &Caller,
    kind: Kind,
    cursor: Option<String>,
) -> Result<Listed, Error> {
    let listed = match kind {
        Kind::Tools => catalogue.list(caller).await.map(Listed::Tools),
        Kind::Prompts => catalogue.prompts(caller).await.map(Listed::Others),
        Kind::Resources | Kind::Templates => {
            let page = catalogue.page(caller, kind, cursor.as_deref()).await;
            page.map(Listed::Others)
        }
    };
    listed.map_err(|unlisted| match unlisted {
        Unlisted::Cursor(_) => Error::Cursor,
        Unlisted::Incomplete { server } => Error::Unavailable(server),
    })
}

/// Without a session of the caller's, a list takes one of the gateway's own on every server: it counts as a call.
fn hold(context: &Context) -> Result<Option<Held>, Error> {
    if context.caller.scope.is_some() {
        return Ok(None);
    }
    let held = context.calls.in_progress.calls.take(&context.caller.account, 0);
    held.map(Some).ok_or(Error::Busy)
}

fn written(context: &Context, kind: Kind, listed: Listed) -> Box<RawValue> {
    match (context.caller.version.era(), listed) {
        (Era::Legacy, Listed::Tools(list)) => tools::list_result(&list.tools),
        (Era::Legacy, Listed::Others(page)) => {
            listing::result(kind, &page.entries, page.next_cursor.as_deref()).to_raw()
        }
        (Era::Modern, Listed::Tools(list)) => {
            let caching = caching(context, list.is_whole, list.is_private).at_most(list.ttl);
            result::tool_list(list.tools, caching)
        }
        (Era::Modern, Listed::Others(page)) => {
            let caching = caching(context, page.is_whole, page.is_private).at_most(page.ttl);
            result::list(kind, (&page.entries, page.next_cursor.as_deref()), caching)
        }
    }
}

fn caching(context: &Context, is_whole: bool, is_private: bool) -> Caching {
    context.caching().only_if(is_whole).private_if(is_private)
}
