//! The JSON body of a request, read whole.
//!
//! Whatever takes a body calls [`read`]. Invariant: of bounded size, and what is wrong is an error that names the field.

use asyncmcp_protocol::media;
use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The largest body.
const MAX_BODY: usize = 16 << 10;

/// Reads a body that is announced as JSON.
pub(super) async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if media::essence(kind.unwrap_or_default()) != "application/json" {
        let detail = "Content-Type must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
        let detail = format!("the body is larger than {MAX_BODY} bytes, or did not come whole");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })?;
    let mut json = serde_json::Deserializer::from_slice(&body);
    let asked = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, why) = (error.path().to_string(), error.into_inner());
        Problem::field(&path, why.to_string())
    })?;
    json.end()
        .map_err(|error| Problem::field("body", error.to_string()))?;
    Ok(asked)
}
