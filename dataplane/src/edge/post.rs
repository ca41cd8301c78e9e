//! POST: a message or a batch from a client, and how it is answered.
//!
//! [`super::router`] routes here what passed the door. Invariant: a body is parsed once, and
//! its era is known before anything else of it is read.

use std::sync::Arc;

use asyncmcp_protocol::batch::Body;
use asyncmcp_protocol::era::{self, Era};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;

use super::door::{self, version};
use super::{Edge, legacy, modern};
use crate::caller::access::Access;
use crate::caller::respond::Error;

pub(super) async fn answer(
    State(edge): State<Arc<Edge>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Response {
    handle(&edge, request, &access).await.unwrap_or_else(|error| {
        let id = match &error {
            Error::Message(error) => error.id().cloned(),
            _ => None,
        };
        error.answer(id)
    })
}

async fn handle(edge: &Arc<Edge>, request: Request, access: &Access) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let config = edge.live.borrow().clone();
    let kinds = door::post(&head.headers)?;
    let body = door::read(&head.headers, body, config.route.transport.max_request_size).await?;
    let body = Body::parse(&body)?;
    match era(&head.headers, &body) {
        Era::Legacy => legacy::answer(edge, config, (&head.headers, kinds, access), body).await,
        Era::Modern => Ok(modern::answer(edge, config, (&head.headers, kinds, access), body).await),
    }
}

fn era(headers: &HeaderMap, body: &Body) -> Era {
    let version = version(headers);
    match body {
        Body::One(message) => era::era_of(version, message),
        Body::Batch(_) if version.is_some_and(era::is_modern_date) => Era::Modern,
        Body::Batch(_) => Era::Legacy,
    }
}
