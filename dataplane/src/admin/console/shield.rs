//! What keeps a page to itself: the headers of every answer, and where a change may come from.
//!
//! Invariant: nothing is loaded but from this port, nothing frames a page, and a change is made by a page of this very
//! origin. `SameSite=Strict` does not see to the last: another port of the same host is the same site.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// `same-origin`, not `no-referrer`: with the latter browsers send `Origin: null` with a form, which says nothing.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];
/// What a browser says of where a request comes from; no page can change it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Adds them to every answer.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a page of this origin makes the request. Behind something that ends TLS the scheme is not known here, but there
/// every browser says itself that the origin is the same.
pub(super) fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    if let Some(site) = headers.get(FETCH_SITE) {
        return site == "same-origin";
    }
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.and_then(|origin| origin.strip_prefix("http://")) == Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_very_origin_changes_anything() {
        let host = "127.0.0.1:9464";
        for (origin, site, expect) in [
            (Some("http://127.0.0.1:9464"), None, true),
            (Some("http://127.0.0.1:9464"), Some("same-origin"), true),
            (Some("https://127.0.0.1:9464"), Some("same-origin"), true),
            (None, Some("same-origin"), true),
            (Some("http://127.0.0.1:9465"), None, false),
            (Some("http://localhost:9464"), None, false),
            (Some("https://127.0.0.1:9464"), None, false),
            (Some("http://127.0.0.1:9464"), Some("same-site"), false),
            (Some("http://127.0.0.1:9464"), Some("cross-site"), false),
            (Some("http://127.0.0.1:9464"), Some("none"), false),
            (Some("null"), None, false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(ORIGIN, origin), (FETCH_SITE, site)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(is_same_origin(&headers, host), expect, "{origin:?} {site:?}");
        }
    }
}
