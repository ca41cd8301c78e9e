//! Who may use the route.
//!
//! Invariant: without `auth` everybody who reaches the endpoint may use it; with it, nobody without credentials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;
use crate::form;

/// The credentials that clients need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = names_credentials()))]
pub struct Auth {
    /// Tokens that clients send as `Authorization: Bearer <token>`, 1 to 16: at least 16 characters, letters, digits and
    /// `- . _ ~ + /`. Each key of a Secret is one client, whatever its value: to rotate a token, change the value. A key
    /// that cannot be read or used is skipped and reported; while none can be used, every request is refused.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "key"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_secret_refs: Option<Vec<SecretKeyRef>>,
}

pub(crate) const CREDENTIALS_MESSAGE: &str = "set bearerSecretRefs";

fn names_credentials() -> Vec<serde_json::Value> {
    vec![form::rule("has(self.bearerSecretRefs)", CREDENTIALS_MESSAGE)]
}
