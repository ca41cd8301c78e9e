//! Bearer tokens: requests without one of those in the file get a 401.
//!
//! Used by `main` with `--token-file`. Invariant: the file is read at every request, so that a change takes effect at once.

use std::path::Path;

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// Refuses a request that has none of the tokens in the file, one on each line.
pub(crate) fn check(file: &Path, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let tokens = std::fs::read_to_string(file).unwrap_or_default();
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    let is_known = given.is_some_and(|given| tokens.lines().any(|token| token.trim() == given));
    if is_known && given != Some("") {
        return Ok(());
    }
    Err(Box::new(
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response(),
    ))
}
