//! Who may see a page, and which change is meant.
//!
//! Every page but the sign-in goes through [`admit`]. Invariant: a handler that runs has a visitor with the role that its
//! route asks for; and one that changes something got its form from a page of this origin and of this session.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::Console;
use super::failure::Failure;
use super::form::Form;
use super::visitor::Visitor;
use super::{cookie, sessions, shield};
use crate::admin::jobs::token::Role;
use crate::ports::{bearer, host};

/// What a route asks for.
#[derive(Clone)]
pub(super) struct Guard {
    /// Who knows the sessions.
    pub(super) console: Console,
    /// The least role.
    pub(super) role: Role,
}

/// Lets a request in whose visitor has the role.
pub(super) async fn admit(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let visitor = visitor(&guard.console, request.uri(), request.headers()).await;
    let Some(visitor) = visitor else {
        return signed_out(&request);
    };
    if visitor.role < guard.role {
        let detail = "you signed in with the view token: sign in with the admin token to see payloads or to change anything";
        return Failure::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    match with_form(request, &visitor).await {
        Ok(mut request) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

/// Whose session a request belongs to, while its token is still one.
async fn visitor(console: &Console, uri: &Uri, headers: &HeaderMap) -> Option<Visitor> {
    let id = cookie::read(headers, host::of(uri, headers))?;
    let grant = console.sessions.find(id, Instant::now())?;
    if !console.token.is_live(&grant).await {
        console.sessions.close(id);
        return None;
    }
    Some(Visitor {
        role: grant.role,
        form_token: sessions::form_token(id),
        id: id.to_owned(),
    })
}

/// The request with its form, read and checked, where it may change something.
async fn with_form(request: Request, visitor: &Visitor) -> Result<Request, Failure> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    check_origin(request.uri(), request.headers())?;
    let (mut parts, body) = request.into_parts();
    let form = Form::read(body).await?;
    let given = form.get("form").unwrap_or_default();
    if !bearer::are_equal(given.as_bytes(), visitor.form_token.as_bytes()) {
        let detail = "this form is from another session: reload the page it is on, and send it again";
        return Err(Failure::new(StatusCode::FORBIDDEN, detail));
    }
    parts.extensions.insert(form);
    Ok(Request::from_parts(parts, Body::empty()))
}

/// Whether a page of this origin sends it.
pub(super) fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
    if shield::is_same_origin(headers, host::of(uri, headers)) {
        return Ok(());
    }
    let detail = "this form was not sent by a page of this console: open the console and send it from there";
    Err(Failure::new(StatusCode::FORBIDDEN, detail))
}

/// To the sign-in, and from there back to what was asked for; a change has to be made again.
fn signed_out(request: &Request) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/console", |path| path.as_str());
    let query = match *request.method() {
        Method::GET | Method::HEAD => url::form_urlencoded::Serializer::new(String::new())
            .append_pair("to", path)
            .finish(),
        _ => "over=1".to_owned(),
    };
    let mut response = (
        StatusCode::SEE_OTHER,
        [(LOCATION, format!("/console/sign-in?{query}"))],
    )
        .into_response();
    let host = host::of(request.uri(), request.headers());
    let carries_one = cookie::read(request.headers(), host).is_some();
    if let Some(clear) = cookie::clear(host).filter(|_| carries_one) {
        response.headers_mut().insert(SET_COOKIE, clear);
    }
    response
}
