//! DELETE: a client ends its session.
//!
//! [`super::router`] routes here what passed the door. Invariant: the session has ended before
//! the client is answered; its jobs continue, since their results go by webhook.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

use super::{Edge, door, legacy};
use crate::caller::respond::Error;

pub(super) async fn answer(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    match end(&edge, &headers).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.answer(None),
    }
}

async fn end(edge: &Edge, headers: &HeaderMap) -> Result<(), Error> {
    door::of_legacy(headers)?;
    let config = edge.live.borrow().clone();
    let caller = legacy::caller(edge, &config, headers).await?;
    let revoking = edge.calls.lines.revoke(&caller);
    revoking.await.map_err(Error::Revocation)
}
