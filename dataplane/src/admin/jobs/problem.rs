//! The errors of the jobs API: problem details (RFC 9457).
//!
//! Every handler of [`super`] answers with one. Invariant: the detail names the field and the fix, and nothing
//! that only the token's holder may know is in an answer to somebody without it.

use asyncmcp_delivery::engine::jobs::ActError;
use asyncmcp_delivery::store;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::token;

/// The challenge of RFC 6750, section 3.
const CHALLENGE: &str = r#"Bearer realm="asyncmcp jobs""#;
const WRONG_TOKEN: &str = r#"Bearer realm="asyncmcp jobs", error="invalid_token""#;
const VIEW_ONLY: &str = r#"Bearer realm="asyncmcp jobs", error="insufficient_scope""#;

/// Something is wrong (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::admin) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong and what to do about it.
    detail: String,
    /// The parameter or field that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    #[serde(skip)]
    challenge: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            challenge: None,
        }
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The job is not where it would have to be.
    pub(super) fn conflict(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// A parameter or field is not as it should be.
    pub(super) fn field(field: &str, detail: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let challenge = self.challenge;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl From<token::Error> for Problem {
    fn from(error: token::Error) -> Self {
        let (status, challenge) = match &error {
            token::Error::Missing => (StatusCode::UNAUTHORIZED, Some(CHALLENGE)),
            token::Error::Wrong => (StatusCode::UNAUTHORIZED, Some(WRONG_TOKEN)),
            token::Error::ViewOnly => (StatusCode::FORBIDDEN, Some(VIEW_ONLY)),
            token::Error::Closed => (StatusCode::FORBIDDEN, None),
            token::Error::Read { .. } | token::Error::Empty(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(%error, "the jobs API lets nobody in");
        }
        Self {
            challenge,
            ..Self::new(status, error.to_string())
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Self {
        let status = match &error {
            ActError::Unknown => StatusCode::NOT_FOUND,
            ActError::Impossible(_) | ActError::Evicted => StatusCode::CONFLICT,
            ActError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
