//! The endpoint that clients speak to: one path, four methods. Bytes come in here and go out.
//!
//! [`crate::app`] builds an [`Edge`] and serves its [`router`]. Here lives what HTTP and an era of the protocol ask for,
//! one file per era; what a message means is not decided here. Invariant: no request gets to a handler but through
//! [`Door::admit`] and [`Auth::admit`], and no error gets out but through [`crate::caller::respond`].

mod accept;
mod delete;
pub mod door;
mod get;
mod legacy;
mod modern;
mod post;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tokio_util::sync::CancellationToken;

use self::door::Door;
use crate::auth::{Auth, metadata};
use crate::caller::respond::{self, Error};
use crate::caller::session::seal::Ring;
use crate::calls::Calls;
use crate::config::{Config, Live};
use crate::ports::{host, peer};

/// What a browser's script may read of an answer.
const EXPOSED: &str = "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After";
/// What a browser's script may send.
const ALLOWED: &str = "Accept, Authorization, Content-Type, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, \
                       Mcp-Method, Mcp-Name, traceparent, tracestate, baggage";

/// Everything that a client's request may need.
pub struct Edge {
    /// The route as it stands.
    pub live: Live,
    /// What verifies credentials.
    pub auth: Arc<Auth>,
    /// What answers messages.
    pub calls: Arc<Calls>,
    /// What session ids are sealed with.
    pub ring: Arc<Ring>,
    /// Whether the listener is bound to loopback only.
    pub loopback: bool,
    /// Fires when the process ends: standing streams end with it.
    pub closing: CancellationToken,
}

/// The endpoint. Its path is the route's `transport.path` at the time of each request.
pub fn router(edge: Arc<Edge>) -> Router {
    let methods = MethodRouter::new()
        .post(post::answer)
        .get(get::answer)
        .delete(delete::answer)
        .options(preflight)
        .merge(on(MethodFilter::HEAD, not_allowed)) // else GET would answer it
        .fallback(not_allowed)
        .with_state(Arc::clone(&edge));
    Router::new()
        .fallback_service(methods)
        .layer(middleware::from_fn_with_state(edge, admit))
}

/// Admits a request or refuses it, and lets browsers read the answer.
async fn admit(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let config = edge.live.borrow().clone();
    let transport = &config.route.transport;
    let is_metadata = metadata::is_at(request.uri().path(), &config.route);
    let door = Door {
        path: if is_metadata {
            request.uri().path()
        } else {
            &transport.path
        },
        hostnames: &transport.hostnames,
        origins: &transport.allowed_origins,
        loopback: edge.loopback,
    };
    if let Err(error) = door.admit(request.uri(), request.headers()) {
        return Error::from(error).answer(None);
    }
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = if is_metadata {
        describe(&config, request.method(), (request.uri(), request.headers()))
    } else {
        identify(&edge, &config, request, next).await
    };
    if let Some(origin) = origin {
        share(response.headers_mut(), origin);
    }
    response
}

/// Lets in whom its credentials let in. A browser's preflight has none.
async fn identify(edge: &Edge, config: &Config, mut request: Request, next: Next) -> Response {
    if request.method() != Method::OPTIONS {
        let head = (request.uri(), request.headers());
        let trusted = &config.route.transport.trusted_proxies;
        let peer = peer::account(request.extensions(), request.headers(), trusted);
        match edge.auth.admit(config, head, edge.calls.clock.wall()).await {
            Ok(access) => drop(request.extensions_mut().insert(access.or_account(peer))),
            Err(refusal) => {
                door::linger(request.into_body());
                return Error::from(refusal).answer(None);
            }
        }
    }
    next.run(request).await
}

/// Where to get a token, for everybody.
fn describe(config: &Config, method: &Method, (uri, headers): (&Uri, &HeaderMap)) -> Response {
    match *method {
        Method::OPTIONS => preflight_of(headers),
        Method::GET | Method::HEAD => match metadata::document(&config.route, uri, headers) {
            Some(document) => respond::json(document.into()),
            None => Error::from(respond::door::Error::Host(host::of(uri, headers).to_owned())).answer(None),
        },
        _ => Error::from(respond::door::Error::Method).answer(None),
    }
}

fn share(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// What a browser requests before it sends anything (Fetch standard, CORS preflight).
async fn preflight(headers: HeaderMap) -> Response {
    preflight_of(&headers)
}

fn preflight_of(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    if !headers.contains_key(ORIGIN) {
        answer.insert(VARY, HeaderValue::from_static("Origin"));
    }
    answer.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(respond::door::METHODS),
    );
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

async fn not_allowed() -> Response {
    Error::from(respond::door::Error::Method).answer(None)
}
