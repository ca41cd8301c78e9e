//! References to other objects in the route's namespace: Services and keys of Secrets.
//!
//! Invariant: no reference has a namespace field; a route can refer to its own namespace only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form;

/// A key of a Secret in the route's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret.
    #[schemars(transform = &form::OBJECT_NAME)]
    pub name: String,
    /// The key within the Secret. Leading and trailing white space of its value is ignored.
    #[schemars(transform = &form::SECRET_KEY)]
    pub key: String,
}

/// A Service in the route's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRef {
    /// The name of the Service.
    #[schemars(transform = &form::SERVICE_NAME)]
    pub name: String,
    /// The port number of the Service.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The path of the URL.
    #[schemars(transform = &form::PATH)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The scheme of the URL: `http` or `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = form::undescribed)]
pub enum Scheme {
    /// Unencrypted HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as written in a URL, without `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
