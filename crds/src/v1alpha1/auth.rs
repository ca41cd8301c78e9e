//! Who may use the route.
//!
//! Invariant: without `auth` everybody who reaches the endpoint may use it; with it, nobody without credentials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;
use crate::form;

/// The credentials that clients need. Set `bearerSecretRefs`, `jwt` or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = names_credentials()))]
pub struct Auth {
    /// Tokens that clients send as `Authorization: Bearer <token>`, 1 to 16: at least 16 characters, letters, digits and
    /// `- . _ ~ + /`. Each key of a Secret is one client, whatever its value: to rotate a token, change the value. A key
    /// that cannot be read or used is skipped and reported; while none can be used, every request is refused, except those
    /// that `jwt` lets in.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "key"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_secret_refs: Option<Vec<SecretKeyRef>>,
    /// The authorization servers whose access tokens (JWT, signed with RS, PS, ES or `EdDSA`) let a client in, 1 to 8. The
    /// data plane is an OAuth 2.0 resource server: clients find the issuers by RFC 9728 metadata at
    /// `/.well-known/oauth-protected-resource`, also followed by the path of the endpoint.
    #[schemars(
        length(min = 1, max = 8),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["issuer"],
            "x-kubernetes-validations" = one_resource()
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Vec<Jwt>>,
}

/// An authorization server, and what its tokens must say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = names_an_audience()))]
pub struct Jwt {
    /// The issuer, exactly as in the claim `iss` of its tokens. Use `http` only where nobody else can answer for it, such
    /// as within the cluster.
    #[schemars(transform = &form::ISSUER)]
    pub issuer: String,
    /// The URL of its keys (JWK Set). Absent: what its metadata says (RFC 8414 or `OpenID` Connect Discovery). Keys are read
    /// again every 10 minutes, and when a token names an unknown one; while they cannot be read, the last ones are used.
    #[schemars(transform = &form::JWKS_URL)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// What the claim `aud` may be, 1 to 16; a token for another audience is refused. Absent: `resource`.
    #[schemars(length(min = 1, max = 16), transform = form::AUDIENCE.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// The scopes that a token must have, all of them, at most 16. Absent: none.
    #[schemars(length(max = 16), transform = form::SCOPE.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The URL of this route's endpoint as clients know it (RFC 8707), for example `https://mcp.example.com/mcp`. The same
    /// for all issuers. Absent: the URL of each request, from its `Host` and `X-Forwarded-Proto`.
    #[schemars(transform = &form::RESOURCE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

pub(crate) const CREDENTIALS_MESSAGE: &str = "set bearerSecretRefs, jwt or both";
pub(crate) const AUDIENCE_MESSAGE: &str =
    "set audiences or resource; without either, a token for any other service would be accepted";
pub(crate) const RESOURCE_MESSAGE: &str = "resource must be the same for all issuers";

pub(crate) const SCOPES_MESSAGE: &str = "servers[].tools.scopes and webhookTools[].scopes need auth.jwt: without access tokens no client has any, and nobody could call these tools";

pub(crate) const ANY_MESSAGE: &str = "webhook.receivers.fromClients.policy Any needs auth: without it, anybody could have the route send requests anywhere; set auth, or list receivers";

/// The rules on the whole spec.
pub(super) fn what_needs_it() -> Vec<serde_json::Value> {
    let has_tokens = "has(self.auth) && has(self.auth.jwt)";
    let servers = "self.servers.all(s, !has(s.tools) || !has(s.tools.scopes))";
    let any = "has(self.webhook) && has(self.webhook.receivers) && has(self.webhook.receivers.fromClients) && \
               has(self.webhook.receivers.fromClients.policy) && self.webhook.receivers.fromClients.policy == 'Any'";
    let tools = "!has(self.webhookTools) || self.webhookTools.all(t, !has(t.scopes))";
    vec![
        form::rule(&format!("({has_tokens}) || {servers}"), SCOPES_MESSAGE),
        form::rule(&format!("({has_tokens}) || {tools}"), SCOPES_MESSAGE),
        form::rule(&format!("has(self.auth) || !({any})"), ANY_MESSAGE),
    ]
}

fn names_credentials() -> Vec<serde_json::Value> {
    let cel = "has(self.bearerSecretRefs) || has(self.jwt)";
    vec![form::rule(cel, CREDENTIALS_MESSAGE)]
}

fn names_an_audience() -> Vec<serde_json::Value> {
    let cel = "has(self.audiences) || has(self.resource)";
    vec![form::rule(cel, AUDIENCE_MESSAGE)]
}

fn one_resource() -> Vec<serde_json::Value> {
    let cel = "self.all(a, !has(a.resource) || self.all(b, !has(b.resource) || a.resource == b.resource))";
    vec![form::rule(cel, RESOURCE_MESSAGE)]
}
