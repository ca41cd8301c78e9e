//! Parses a route: from YAML (or JSON, which is YAML) to an untyped value, and from there to the types.
//!
//! The data plane parses its route file or mounted document with it; the operator parses an object with [`from_value`].
//!
//! Invariant: no field is dropped silently. Duplicate keys and wrong types are errors; unknown fields are an error or
//! are reported by path, as the caller chooses. All mistakes are reported at once, each with its line where there is a
//! text.

mod shape;
mod strict;
mod unknown;

use serde_json::Value;

use crate::lines::Lines;
use crate::problem::{Problem, Problems};
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
    /// Where its fields stand; empty for an object that is no text.
    pub lines: Lines,
}

/// Why a text is not a route.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not valid YAML, or a key is duplicated. The message contains line and column.
    #[error("invalid YAML: {0}")]
    Yaml(String),
    /// None of the documents is a route.
    #[error(
        "no {KIND} found{found}: the file needs one document with `apiVersion: {API_VERSION}` and `kind: {KIND}`",
        found = found(.0)
    )]
    NoRoute(Vec<String>),
    /// More than one document is a route.
    #[error(
        "{0} {KIND} documents found; one data plane serves one route, so put each route into its own file"
    )]
    ManyRoutes(usize),
    /// The route has another API version.
    #[error("apiVersion: {0:?} is not supported; set {API_VERSION}")]
    ApiVersion(String),
    /// The route has no API version.
    #[error("apiVersion: is missing; set {API_VERSION}")]
    NoApiVersion,
    /// Fields have the wrong type, are missing, or are not known to this version.
    #[error(transparent)]
    Fields(#[from] Problems),
}

impl Error {
    /// What only the types refuse.
    fn field(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = match error.path().to_string() {
            root if root == "." => KIND.to_owned(),
            path => path,
        };
        let message = error.into_inner().to_string();
        Self::Fields(Problems::from(vec![Problem {
            path,
            message,
            line: None,
        }]))
    }

    /// The same mistakes with their lines.
    fn at(self, lines: &Lines) -> Self {
        match self {
            Self::Fields(problems) => Self::Fields(problems.at(lines)),
            error => error,
        }
    }

    /// The kind of the error, for a condition or a label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Yaml(_) => "InvalidYaml",
            Self::NoRoute(_) | Self::ManyRoutes(_) | Self::ApiVersion(_) | Self::NoApiVersion => {
                "NotOneRoute"
            }
            Self::Fields(_) => "InvalidField",
        }
    }
}

/// What was found in place of a route.
fn found(kinds: &[String]) -> String {
    match kinds {
        [] => String::new(),
        [kind] if kind.ends_with("List") => {
            format!(", but a {kind}; put each of its items into a file of its own")
        }
        kinds => format!(", but {}", kinds.join(", ")),
    }
}

/// Parses the only route in a text; documents of other kinds are ignored.
pub fn load(yaml: &str, unknown: Unknown) -> Result<Loaded, Error> {
    let yaml = yaml.trim_start_matches('\u{feff}'); // a byte order mark, as some editors write it
    let documents = strict::documents(yaml).map_err(|error| Error::Yaml(strict::explain(&error)))?;
    let (routes, others): (Vec<_>, Vec<_>) = documents
        .into_iter()
        .partition(|document| document["kind"] == KIND);
    let mut routes = routes.into_iter();
    match (routes.next(), routes.count()) {
        (None, _) => Err(Error::NoRoute(kinds(&others))),
        (Some(route), 0) => {
            let lines = Lines::of(yaml);
            let loaded = from_value(route, unknown).map_err(|error| error.at(&lines))?;
            Ok(Loaded { lines, ..loaded })
        }
        (Some(_), more) => Err(Error::ManyRoutes(more + 1)),
    }
}

fn kinds(documents: &[Value]) -> Vec<String> {
    let kinds = documents.iter().map(|document| match &document["kind"] {
        Value::String(kind) => format!("kind {kind}"),
        _ => "a document without a kind".to_owned(),
    });
    kinds.collect()
}

/// Parses a route from an untyped object.
pub fn from_value(value: Value, unknown: Unknown) -> Result<Loaded, Error> {
    match &value["apiVersion"] {
        Value::Null => return Err(Error::NoApiVersion),
        version if version != API_VERSION => {
            let version = version
                .as_str()
                .map_or_else(|| version.to_string(), str::to_owned);
            return Err(Error::ApiVersion(version));
        }
        _ => {}
    }
    let found = shape::compare(&value);
    let mut problems = found.wrong;
    if unknown == Unknown::Refuse {
        problems.extend(found.unknown);
    }
    if !problems.is_empty() {
        return Err(Problems::from(problems).into());
    }
    let route: McpWebhookRoute = serde_path_to_error::deserialize(&value).map_err(Error::field)?;
    let unknown_fields = unknown::fields(&value, &route);
    Ok(Loaded {
        route,
        value,
        unknown: unknown_fields,
        lines: Lines::default(),
    })
}

#[cfg(test)]
mod tests;
