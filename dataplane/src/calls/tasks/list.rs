//! `tasks/list` (2025-11-25): the jobs of one principal, the newest first.
//!
//! Called by [`super`]. Invariant: bounded, whatever others have in the store: a page may have none although there are more.

use asyncmcp_delivery::engine::jobs::{Listed, Page, Query};
use asyncmcp_delivery::job::Key;
use asyncmcp_delivery::store::scan::{Cursor, Filter, Order};
use asyncmcp_protocol::Request;
use asyncmcp_protocol::tasks::report;
use asyncmcp_protocol::version::Era;

use super::job;
use crate::caller::answer::Answer;
use crate::caller::respond::Error;
use crate::calls::{Context, permit, task_report};

/// Tasks on one page.
const PAGE: usize = 50;

const NO_CURSOR: Error = Error::Params("params.cursor must be the nextCursor of an earlier page of yours");

pub(super) async fn answer(context: &Context, request: &Request) -> Result<Answer, Error> {
    let caller = &context.caller;
    let query = Query {
        filter: Filter {
            client: Some(Key::of(&caller.account)),
            ..Filter::default()
        },
        owner: caller.owner().map(|owner| owner.0),
        ..Query::default()
    };
    let page = Page {
        order: Order::Newest,
        after: cursor(context, request)?,
        limit: PAGE,
    };
    let listing = context.calls.engine.list(&query, page).await?;
    let shown = listing.jobs.iter().filter(|listed| is_shown(context, listed));
    let tasks: Vec<_> = shown
        .map(|listed| job::report(context, &listed.job).to_object(Era::Legacy))
        .collect();
    let next = listing
        .next
        .map(|next| context.calls.task_ids.seal_cursor(caller, next));
    Ok(Answer::result(
        request.id.clone(),
        &report::list(&tasks, next.as_deref()),
    ))
}

fn is_shown(context: &Context, listed: &Listed) -> bool {
    let (webhook, now) = (&context.config.route.webhook, context.calls.clock.now());
    let call = listed.call.as_ref();
    let is_permitted = call.is_some_and(|call| permit::tool(context, &call.server, &call.shown_as).is_ok());
    is_permitted && !task_report::is_over(&listed.job, webhook, now)
}

fn cursor(context: &Context, request: &Request) -> Result<Option<Cursor>, Error> {
    let params = request.params.as_ref();
    if params.is_none_or(|params| params.get("cursor").is_none()) {
        return Ok(None);
    }
    let text = params.and_then(|params| params.text("cursor"));
    let cursor = text.and_then(|text| context.calls.task_ids.open_cursor(&context.caller, &text));
    cursor.map(Some).ok_or(NO_CURSOR)
}
