//! The body of a form, or the query of a link.
//!
//! Invariant: it is bounded, and a field that is given twice is not taken for either.

use std::collections::HashMap;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;

use super::failure::Failure;

/// The largest body.
const MAX_BODY: usize = 16 << 10;

/// Fields by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// Reads it.
    pub(super) async fn read(body: Body) -> Result<Self, Failure> {
        let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
            let detail = format!("the form is larger than {MAX_BODY} bytes, or did not arrive whole");
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        })?;
        let mut fields = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(&body) {
            if fields.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Failure::new(
                    StatusCode::BAD_REQUEST,
                    "a field of the form is given twice",
                ));
            }
        }
        Ok(Self(fields))
    }

    /// Reads a query string; what cannot be read is not there.
    pub(super) fn of_query(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// A field, if it is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}
