//! DELETE: a client ends its session.
//!
//! [`super::router`] routes here what passed the door. Invariant: the session has ended before
//! the client is answered; its jobs continue, since their results go by webhook.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

use super::{Edge, door, legacy};
use crate::caller::access::Access;
use crate::caller::respond::Error;

pub(super) async fn answer(
    State(edge): State<Arc<Edge>>,
    Extension(access): Extension<Access>,
    headers: HeaderMap,
) -> Response {
    match end(&edge, &headers, &access).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.answer(None),
    }
}

async fn end(edge: &Edge, headers: &HeaderMap, access: &Access) -> Result<(), Error> {
    door::has_sessions(headers)?;
    let config = edge.live.borrow().clone();
    door::keeps_sessions(&config.route)?;
    let caller = legacy::caller(edge, &config, (headers, access)).await?;
    let revoking = edge.calls.lines.revoke(&caller);
    revoking.await.map_err(Error::Revocation)
}
