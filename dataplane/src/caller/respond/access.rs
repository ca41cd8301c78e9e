//! Why a request's credentials do not let it in.
//!
//! [`crate::auth`] decides, [`super`] reports it. Invariant: nothing of the credentials is in it, and each answer names
//! how to get better ones (RFC 6750, section 3; RFC 9728, section 5.1).

use http::{HeaderValue, StatusCode};

/// What is wrong with an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no JWT.
    #[error("it is not a JWT that can be read")]
    Malformed,
    /// Its algorithm is not one that is accepted.
    #[error("its algorithm is not accepted; RS, PS, ES and EdDSA are")]
    Algorithm,
    /// It is another kind of JWT.
    #[error("it is not an access token")]
    Type,
    /// Nobody accepts tokens of its issuer here.
    #[error("its issuer is not accepted")]
    Issuer,
    /// Its issuer has no such key.
    #[error("its issuer has no such key")]
    Key,
    /// Its signature is not the issuer's.
    #[error("its signature is not valid")]
    Signature,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// A claim is missing, or not of its form.
    #[error("it lacks a claim (iss, aud, exp, and sub or client_id), or one is malformed")]
    Claims,
    /// It was valid once.
    #[error("it has expired")]
    Expired,
    /// It will be valid.
    #[error("it is not valid yet")]
    NotYet,
}

impl Flaw {
    const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Algorithm,
        Self::Type,
        Self::Issuer,
        Self::Key,
        Self::Signature,
        Self::Audience,
        Self::Claims,
        Self::Expired,
        Self::NotYet,
    ];

    fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Audience => "audience",
            Self::Claims => "claims",
            Self::Expired => "expired",
            Self::NotYet => "not_yet_valid",
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request has no bearer token.
    #[error("missing token: send Authorization: Bearer <token>")]
    Missing,
    /// The token is not one of the route's.
    #[error("the token is not valid here")]
    Unknown,
    /// The access token is not valid.
    #[error("the token is not valid here: {0}")]
    Token(Flaw),
    /// The token is valid, but lacks one of these scopes.
    #[error("the token lacks a scope; needed: {}", .0.join(" "))]
    Scope(Vec<String>),
    /// The keys of the token's issuer could never be read.
    #[error("the keys of the token's issuer cannot be read at present; try again")]
    NoKeys,
}

impl Error {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Unknown | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Scope(_) => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The reason in metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Token(flaw) => flaw.reason(),
            Self::Scope(_) => "scope",
            Self::NoKeys => "no_keys",
        }
    }

    /// Every reason, for metrics that start at zero.
    pub fn reasons() -> impl Iterator<Item = &'static str> {
        let flaws = Flaw::ALL.into_iter().map(Flaw::reason);
        ["missing", "unknown", "scope", "no_keys"]
            .into_iter()
            .chain(flaws)
    }

    /// The `error` of the challenge; a request without credentials made none.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Missing | Self::NoKeys => None,
            Self::Unknown | Self::Token(_) => Some("invalid_token"),
            Self::Scope(_) => Some("insufficient_scope"),
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
    /// Refuses because of `error`; `metadata` is the URL where a client learns how to get a token, `scopes` are the ones to
    /// ask for.
    pub fn new(error: Error, metadata: Option<&str>, scopes: &[String]) -> Self {
        let mut parts = vec![("realm", "mcp".to_owned())];
        parts.extend(metadata.map(|url| ("resource_metadata", url.to_owned())));
        let scopes = match &error {
            Error::Scope(needed) => needed,
            _ => scopes,
        };
        if !scopes.is_empty() {
            parts.push(("scope", scopes.join(" ")));
        }
        if let Some(code) = error.code() {
            parts.push(("error", code.to_owned()));
            parts.push(("error_description", error.to_string()));
        }
        let parts: Vec<_> = parts
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let challenge = HeaderValue::from_str(&format!("Bearer {}", parts.join(", ")));
        // URLs and scopes that passed `validate` and the parser are visible ASCII.
        let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
        Self { error, challenge }
    }
}
