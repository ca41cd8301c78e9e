//! GET: the stream of messages that servers send outside of any request, or the rest of an answer (`Last-Event-ID`).
//!
//! [`super::router`] routes here what passed the door. Invariant: a client has one such
//! stream; a newer one ends the older, which [`crate::servers::lines`] sees to.

use std::sync::Arc;

use asyncmcp_protocol::header;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use futures::StreamExt as _;
use http::HeaderMap;

use super::accept::Kinds;
use super::{Edge, door, legacy, stream};
use crate::caller::access::{self, Access};
use crate::caller::respond::Error;

pub(super) async fn answer(
    State(edge): State<Arc<Edge>>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
) -> Response {
    open(&edge, &headers, &access)
        .await
        .unwrap_or_else(|error| error.answer(None))
}

async fn open(edge: &Arc<Edge>, headers: &HeaderMap, access: &Access) -> Result<Response, Error> {
    door::has_sessions(headers)?;
    door::get(headers)?;
    let config = edge.live.borrow().clone();
    door::keeps_sessions(&config.route)?;
    let caller = legacy::caller(edge, &config, (headers, access)).await?;
    if let Some(last) = headers.get(header::LAST_EVENT_ID).filter(|last| !last.is_empty()) {
        let last = last.to_str().map_err(|_| Error::EventId)?;
        let kinds = Kinds {
            json: false,
            stream: true,
        };
        let answer = edge.calls.resumable.resume(&caller, last)?;
        return Ok(stream::http(answer, kinds, &edge.calls.metrics));
    }
    let messages = edge.calls.lines.stream(&caller);
    let closing = edge.closing.clone().cancelled_owned();
    let ends = futures::future::select(Box::pin(closing), Box::pin(access::expired(access.expires)));
    Ok(stream::stream(
        messages.take_until(ends),
        edge.calls.metrics.stream(),
    ))
}
