//! Why a request's credentials do not let it in.
//!
//! [`crate::auth`] decides, [`super`] reports it. Invariant: nothing of the credentials is in it, and each answer names
//! how to get better ones (RFC 6750, section 3).

use http::{HeaderValue, StatusCode};

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request has no bearer token.
    #[error("missing token: send Authorization: Bearer <token>")]
    Missing,
    /// The token is not one of the route's.
    #[error("the token is not valid here")]
    Unknown,
}

impl Error {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Unknown => StatusCode::UNAUTHORIZED,
        }
    }

    /// The `error` of the challenge; a request without credentials made none.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Missing => None,
            Self::Unknown => Some("invalid_token"),
        }
    }
}

/// A refusal with its `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// Why.
    pub error: Error,
    /// What the client should authenticate with.
    pub challenge: HeaderValue,
}

impl Refusal {
    /// Refuses because of `error`.
    pub fn new(error: Error) -> Self {
        let code = error.code();
        let why = code.map(|code| format!(", error=\"{code}\", error_description=\"{error}\""));
        let challenge = format!("Bearer realm=\"mcp\"{}", why.unwrap_or_default());
        Self {
            error,
            challenge: HeaderValue::from_str(&challenge).expect("constant text"),
        }
    }
}
