//! Signing in and out: by a token in a form, or by a one-time code that the script finds in the URL's fragment.
//!
//! Invariant: neither token nor code is in a URL that is requested, and after the sign-in nobody is led anywhere but to a page
//! of the console.

use axum::Json;
use axum::extract::{Extension, RawQuery, Request, State};
use axum::http::header::{AUTHORIZATION, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::json;
use tokio::time::Instant;

use super::failure::Failure;
use super::form::Form;
use super::guard;
use super::sessions::CODE_AGE;
use super::visitor::Visitor;
use super::{Console, cookie, layout};
use crate::admin::jobs::problem::Problem;
use crate::admin::jobs::token::{self, Grant, Role, Token};
use crate::ports::host;

/// `GET /console/sign-in`.
pub(super) async fn page(State(console): State<Console>, RawQuery(query): RawQuery) -> Response {
    if *console.token == Token::None {
        return closed();
    }
    let way = Form::of_query(query.as_deref());
    let note = way
        .get("over")
        .is_some()
        .then_some("Your session is over. Nothing was changed: sign in and do it again.");
    let to = way.get("to").filter(|to| is_ours(to)).unwrap_or("/console");
    layout::bare("Sign in", &form(to, note))
}

/// `POST /console/sign-in`.
pub(super) async fn submit(State(console): State<Console>, request: Request) -> Result<Response, Failure> {
    if *console.token == Token::None {
        return Ok(closed());
    }
    let (parts, body) = request.into_parts();
    guard::check_origin(&parts.uri, &parts.headers)?;
    let form = Form::read(body).await?;
    let to = form.get("to").filter(|to| is_ours(to)).unwrap_or("/console");
    match grant(&console, &form).await {
        Ok(grant) => Ok(signed_in(&console, (&parts.uri, &parts.headers), grant, to)),
        Err((status, why)) => {
            Ok((status, layout::bare("Sign in", &self::form(to, Some(&why)))).into_response())
        }
    }
}

/// `POST /console/codes`: a code for who has a token.
pub(super) async fn code(State(console): State<Console>, headers: HeaderMap) -> Response {
    match console.token.check(headers.get(AUTHORIZATION), Role::View).await {
        Ok(grant) => {
            let code = console.sessions.issue_code(grant, rand::random(), Instant::now());
            Json(json!({"code": code, "expiresInSeconds": CODE_AGE.as_secs()})).into_response()
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

/// `GET /console/session`: whether there is one. A link from another site arrives without the cookie; the script asks here.
pub(super) async fn session() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `POST /console/sign-out`.
pub(super) async fn sign_out(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    console.sessions.close(&visitor.id);
    let clear = cookie::clear(host::of(&uri, &headers));
    redirect("/console/sign-in", clear)
}

/// What the form gives a right to.
async fn grant(console: &Console, form: &Form) -> Result<Grant, (StatusCode, String)> {
    if let Some(code) = form.get("code") {
        let why = "This link was used before, or is older than a minute. Run asyncmcp console again.";
        let redeemed = console.sessions.redeem(code, Instant::now());
        let grant = redeemed.ok_or((StatusCode::UNAUTHORIZED, why.to_owned()))?;
        // The token may have changed within the minute.
        let is_live = console.token.is_live(&grant).await;
        return is_live
            .then_some(grant)
            .ok_or((StatusCode::UNAUTHORIZED, why.to_owned()));
    }
    let given = form.get("token").map(str::trim).filter(|given| !given.is_empty());
    let given = given.ok_or((StatusCode::BAD_REQUEST, "Enter a token.".to_owned()))?;
    console
        .token
        .grant(given.as_bytes())
        .await
        .map_err(|error| match error {
            token::Error::Wrong => (
                StatusCode::UNAUTHORIZED,
                "This is neither the admin token nor the view token.".to_owned(),
            ),
            other => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("Nobody can sign in: {other}."),
            ),
        })
}

fn signed_in(console: &Console, (uri, headers): (&Uri, &HeaderMap), grant: Grant, to: &str) -> Response {
    let host = host::of(uri, headers);
    if let Some(before) = cookie::read(headers, host) {
        console.sessions.close(before);
    }
    let id = console.sessions.open(grant, rand::random(), Instant::now());
    redirect(to, cookie::set(host, &id))
}

fn redirect(to: &str, cookie: Option<axum::http::HeaderValue>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, to.to_owned())]).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Whether a path is a page of the console that may be led to.
fn is_ours(path: &str) -> bool {
    let rest = path.strip_prefix("/console");
    let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_below
        && is_plain
        && path.len() <= 4096
        && !path.contains("..")
        && !path.starts_with("/console/sign-in")
}

fn form(to: &str, note: Option<&str>) -> Markup {
    html! {
        h1 { "Sign in" }
        p #note.wrong role="alert" hidden[note.is_none()] { (note.unwrap_or_default()) }
        form #sign-in.stack method="post" action="/console/sign-in" {
            input type="hidden" name="to" value=(to);
            label for="token" { "Admin token or view token" }
            input #token type="password" name="token" autocomplete="current-password" required autofocus
                aria-describedby="where";
            p #where.hint {
                "On a laptop they are the files " code { "adminToken" } " and " code { "viewToken" }
                " in " code { "--state-dir" } ", in a cluster the keys of these names in the Secret "
                code { "<route>-keys" } ". The view token sees no payloads and changes nothing."
            }
            p { button.primary type="submit" { "Sign in" } }
        }
        p.hint { code { "asyncmcp console" } " opens this page and signs you in." }
    }
}

fn closed() -> Response {
    let content = html! {
        h1 { "The console is closed" }
        p.wrong role="alert" { "This process has no admin token, so nobody can sign in." }
        p { "Start it with " code { "--state-dir DIR" } ", which makes " code { "DIR/adminToken" } " and "
            code { "DIR/viewToken" } ", or name a file with " code { "--admin-token-file FILE" } "." }
    };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        layout::bare("The console is closed", &content),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_out_of_the_console() {
        for ours in ["/console", "/console?x=1", "/console/jobs?state=dead&tool=a"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "",
            "/",
            "/jobs",
            "//evil.example/console",
            "https://evil.example/console",
            "/console.evil.example",
            "/consolex",
            "/console/../jobs",
            "/console\\evil",
            "/console/\r\nset-cookie: a",
            "/console/sign-in?to=/console",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
