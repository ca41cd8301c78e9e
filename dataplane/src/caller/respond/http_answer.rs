//! An error as an HTTP response: its status, its body, and the headers that say what to do.
//!
//! Part of [`super`]. Invariant: the body is the JSON-RPC error, whatever the status.

use asyncmcp_protocol::{Id, Response as RpcResponse};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

use super::{Error, door, millis};

impl Error {
    /// The JSON-RPC response to the request `id`.
    pub fn to_response(&self, id: Option<Id>) -> Bytes {
        RpcResponse::error(id, &self.object()).to_bytes().into()
    }

    /// The HTTP response to the request `id`.
    pub fn answer(&self, id: Option<Id>) -> Response {
        let mut response = json(self.to_response(id));
        *response.status_mut() = self.status();
        if let Some(pause) = self.retry_after() {
            let seconds = HeaderValue::from(millis(pause).div_ceil(1000));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        if let Self::Access(refusal) = self {
            let challenge = refusal.challenge.clone();
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        let allowed = match self {
            Self::Guard(door::Error::Method) => Some(door::METHODS),
            Self::Guard(door::Error::NoSessions | door::Error::Stateless) => Some(door::MODERN_METHODS),
            _ => None,
        };
        if let Some(allowed) = allowed {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}

/// A JSON body with status 200.
pub fn json(body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
