//! Parses a route: from YAML (or JSON, which is YAML) to an untyped value, and from there to the types.
//!
//! The data plane parses its route file or mounted document with it; the operator parses an object with [`from_value`].
//!
//! Invariant: no field is dropped silently. Duplicate keys and wrong types are errors; unknown fields are an error or
//! are reported by path, as the caller chooses.

mod strict;
mod unknown;

use serde_json::Value;

use crate::v1alpha1::McpWebhookRoute;
use crate::{API_VERSION, KIND};

/// What to do with fields that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Refuse the route: in a file that a person edits, they are typing errors.
    Refuse,
    /// Parse the rest and list them: in a cluster, another version may know them.
    Report,
}

/// A route that was parsed.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The route.
    pub route: McpWebhookRoute,
    /// The same route as an untyped value, unknown fields included.
    pub value: Value,
    /// Paths of fields that this version does not know, such as `spec.servers[0].colour`.
    pub unknown: Vec<String>,
}

/// Why a text is not a route.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not valid YAML, or a key is duplicated. The message contains line and column.
    #[error("invalid YAML: {0}")]
    Yaml(String),
    /// None of the documents is a route.
    #[error(
        "no {KIND} found: the file needs one document with `apiVersion: {API_VERSION}` and `kind: {KIND}`"
    )]
    NoRoute,
    /// More than one document is a route.
    #[error(
        "{0} {KIND} documents found; one data plane serves one route, so put each route into its own file"
    )]
    ManyRoutes(usize),
    /// The route has another API version.
    #[error("apiVersion: {0:?} is not supported; set {API_VERSION}")]
    ApiVersion(String),
    /// A field has the wrong type or is missing.
    #[error("{path}: {message}")]
    Field {
        /// The path of the field.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// Fields that this version does not know.
    #[error("unknown field {}; check the spelling and the indentation", .0.join(", "))]
    Unknown(Vec<String>),
}

impl Error {
    fn field(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = match error.path().to_string() {
            root if root == "." => KIND.to_owned(),
            path => path,
        };
        Self::Field {
            path,
            message: error.into_inner().to_string(),
        }
    }

    /// The kind of the error, for a condition or a label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Yaml(_) => "InvalidYaml",
            Self::NoRoute | Self::ManyRoutes(_) | Self::ApiVersion(_) => "NotOneRoute",
            Self::Field { .. } => "InvalidField",
            Self::Unknown(_) => "UnknownField",
        }
    }
}

/// Parses the only route in a text; documents of other kinds are ignored.
pub fn load(yaml: &str, unknown: Unknown) -> Result<Loaded, Error> {
    let documents = strict::documents(yaml).map_err(|error| Error::Yaml(error.to_string()))?;
    let mut routes = documents.into_iter().filter(|document| document["kind"] == KIND);
    match (routes.next(), routes.count()) {
        (None, _) => Err(Error::NoRoute),
        (Some(route), 0) => from_value(route, unknown),
        (Some(_), more) => Err(Error::ManyRoutes(more + 1)),
    }
}

/// Parses a route from an untyped object.
pub fn from_value(value: Value, unknown: Unknown) -> Result<Loaded, Error> {
    if value["apiVersion"] != API_VERSION {
        return Err(Error::ApiVersion(
            value["apiVersion"].as_str().unwrap_or_default().to_owned(),
        ));
    }
    let route: McpWebhookRoute = serde_path_to_error::deserialize(&value).map_err(Error::field)?;
    let unknown_fields = unknown::fields(&value, &route);
    if unknown == Unknown::Refuse && !unknown_fields.is_empty() {
        return Err(Error::Unknown(unknown_fields));
    }
    Ok(Loaded {
        route,
        value,
        unknown: unknown_fields,
    })
}

#[cfg(test)]
mod tests;
