//! How a client finds out where to get a token: protected resource metadata (RFC 9728).
//!
//! The edge serves the [`document`], and [`super::Auth`] names its URL in the challenge. Invariant: both speak of the same
//! resource, which is the one that tokens are for.

use asyncmcp_crds::effective::{Jwt, Route};
use http::{HeaderMap, Uri};
use serde::Serialize;
use url::Url;

use crate::ports::host;

/// Where it is on every host, before the path of the resource.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What clients read.
#[derive(Debug, Serialize)]
struct Document {
    resource: String,
    authorization_servers: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
}

/// Whether `path` is one where clients look for the metadata of this route: with the endpoint's path, as it is here and as
/// it is outside, and without.
pub(crate) fn is_at(path: &str, route: &Route) -> bool {
    let Some(rest) = path.strip_prefix(WELL_KNOWN) else {
        return false;
    };
    let named = issuers(route).iter().find_map(|jwt| jwt.resource.as_deref());
    let outside = named.and_then(|resource| Url::parse(resource).ok());
    let outside = outside.as_ref().map_or("", Url::path);
    let known = ["", &route.transport.path, outside];
    let rest = rest.trim_end_matches('/');
    !issuers(route).is_empty() && known.iter().any(|known| known.trim_end_matches('/') == rest)
}

/// The document, as JSON; `None` where the request does not tell the URL of the resource.
pub(crate) fn document(route: &Route, uri: &Uri, headers: &HeaderMap) -> Option<Vec<u8>> {
    let jwt = issuers(route);
    let document = Document {
        resource: resource(route, uri, headers)?,
        authorization_servers: jwt.iter().map(|jwt| jwt.issuer.clone()).collect(),
        bearer_methods_supported: ["header"],
        scopes_supported: distinct(scopes(route)),
    };
    Some(serde_json::to_vec(&document).expect("texts are JSON"))
}

/// The absolute URL of the metadata.
pub(super) fn url(route: &Route, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut url = Url::parse(&resource(route, uri, headers)?).ok()?;
    let path = format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(url.into())
}

/// The URL of the endpoint as clients know it: as the route says, else as this request does. A proxy's `X-Forwarded-Proto` is
/// believed from anybody, for nobody but the one who sent it reads the answer.
fn resource(route: &Route, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(named) = issuers(route).iter().find_map(|jwt| jwt.resource.clone()) {
        return Some(named);
    }
    let is_https = headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto == "https");
    let scheme = if is_https { "https" } else { "http" };
    let host = host::of(uri, headers);
    let url = Url::parse(&format!("{scheme}://{host}{}", route.transport.path)).ok()?;
    // A Host header with anything else in it would give another URL than it seems.
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.path() == route.transport.path;
    is_plain.then(|| url.into())
}

/// Every scope that is of any use here.
pub(crate) fn scopes(route: &Route) -> impl Iterator<Item = &String> {
    let of_tokens = issuers(route).iter().flat_map(|jwt| &jwt.scopes);
    let of_servers = route.servers.iter().flat_map(|server| &server.scopes);
    let of_tools = route.webhook_tools.iter().flat_map(|tool| &tool.scopes);
    of_tokens.chain(of_servers).chain(of_tools)
}

fn distinct<'a>(scopes: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for scope in scopes {
        if !distinct.contains(scope) {
            distinct.push(scope.clone());
        }
    }
    distinct
}

fn issuers(route: &Route) -> &[Jwt] {
    route.auth.as_ref().map_or(&[], |auth| &auth.jwt)
}
