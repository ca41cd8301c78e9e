//! Pointers to other objects of the route's namespace: Services and keys in Secrets.
//!
//! Invariant: no reference has a namespace field; a route reaches its own namespace and nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form;

/// A key in a Secret of the route's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret.
    #[schemars(transform = &form::OBJECT_NAME)]
    pub name: String,
    /// The key whose value is used; white space around the value is ignored.
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
    /// The port of the Service, as a number.
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

/// A URL's scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = form::undescribed)]
pub enum Scheme {
    /// In clear text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
