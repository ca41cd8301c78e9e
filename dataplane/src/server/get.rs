//! GET: the stream of what servers say outside of any request.
//!
//! [`super::router`] routes here what passed the door. Invariant: a client has one such
//! stream; a newer one ends the older, which `sessions` sees to.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures::StreamExt as _;
use http::HeaderMap;

use super::{Client, Edge, answer};
use crate::guard;
use crate::respond::Error;

pub(super) async fn answer(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    open(&edge, &headers)
        .await
        .unwrap_or_else(|error| error.answer(None))
}

async fn open(edge: &Arc<Edge>, headers: &HeaderMap) -> Result<Response, Error> {
    guard::get(headers)?;
    let config = edge.live.borrow().clone();
    let client = Client::of(edge, config, headers).await?;
    let messages = edge.sessions.stream(&client.identity);
    let closing = edge.closing.clone().cancelled_owned();
    Ok(answer::stream(
        messages.take_until(closing),
        edge.metrics.stream(),
    ))
}
