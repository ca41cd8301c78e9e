//! Who may read the admin port, beside the token that the jobs API asks for: no page in a browser whose own name leads here
//! (DNS rebinding).
//!
//! [`super::router`] asks it on every request. Invariant: a request for a name that is not ours is answered only on a port
//! that the network reaches anyway, only by what needs no token, and only if no browser made it.

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE, ORIGIN, REFERER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Live;
use crate::ports::host;

/// The rules about where a request may come from.
#[derive(Clone)]
pub(super) struct Door {
    /// The route as it stands.
    pub(super) live: Live,
    /// Whether the listener is bound to loopback only.
    pub(super) loopback: bool,
}

/// For what asks for a token: only under our own names.
pub(super) async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    if door.is_named_by(&request) {
        next.run(request).await
    } else {
        refusal()
    }
}

/// For what asks for none. An API server that is itself reached by name passes its own name on
/// (`kubectl get --raw .../proxy/status`).
pub(super) async fn admit_reader(State(door): State<Door>, request: Request, next: Next) -> Response {
    let is_of_a_proxy = !door.loopback && !is_of_a_browser(request.headers());
    if is_of_a_proxy || door.is_named_by(&request) {
        next.run(request).await
    } else {
        refusal()
    }
}

impl Door {
    /// Whether the request is for an address, which is how the kubelet, Prometheus and the operator call, for localhost, or
    /// for one of `transport.hostnames`.
    fn is_named_by(&self, request: &Request) -> bool {
        let host = host::of(request.uri(), request.headers());
        host::is_address(host) || host::is_loopback(host) || {
            let config = self.live.borrow();
            host::is_listed(&config.route.transport.hostnames, host)
        }
    }
}

/// Whether a browser made the request. It always says which languages its user reads, and a script can change that but
/// not remove it; the rest is what most browsers add.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    const MARKS: [HeaderName; 4] = [ACCEPT_LANGUAGE, ORIGIN, REFERER, COOKIE];
    let agent = headers.get(USER_AGENT).map(http::HeaderValue::as_bytes);
    let is_marked = |name: &HeaderName| MARKS.contains(name) || name.as_str().starts_with("sec-");
    headers.keys().any(is_marked) || agent.is_some_and(|agent| agent.starts_with(b"Mozilla/"))
}

fn refusal() -> Response {
    let why = "this host is not allowed: use an IP address or localhost, or add it to transport.hostnames\n";
    (StatusCode::FORBIDDEN, why).into_response()
}
