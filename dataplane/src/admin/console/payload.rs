//! `GET /console/jobs/{id}/result`: the response that is delivered; `/request`: what was asked. For administrators.
//!
//! Invariant: it is decrypted only when it is asked for, is shown as text and is cut at a bound.

use asyncmcp_delivery::id::JobId;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::failure::Failure;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, text};
use crate::admin::jobs::problem::Problem;
use crate::admin::jobs::query;

/// The most characters of a payload.
const MOST: usize = 100_000;

/// The page.
pub(super) async fn result(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = query::id(&id)?;
    let body = console.engine.result(id).await.map_err(Problem::from)?;
    let body = body.ok_or_else(|| {
        let detail = "there is no such job, or it has no response: the call has not ended, or the response was deleted to \
                      make room in the store";
        Failure::new(StatusCode::NOT_FOUND, detail)
    })?;
    let what = ("Response", "What is delivered");
    Ok(shown(&console, &visitor, (id, what), &body))
}

/// `GET /console/jobs/{id}/request`: the params of the call, until it has ended.
pub(super) async fn request(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = query::id(&id)?;
    let params = console.engine.request(id).await.map_err(Problem::from)?;
    let params = params.ok_or_else(|| {
        let detail = "there is no such job, or its call has ended: what was asked is kept until then";
        Failure::new(StatusCode::NOT_FOUND, detail)
    })?;
    let what = ("Request", "The params of the call");
    Ok(shown(&console, &visitor, (id, what), &params))
}

fn shown(
    console: &Console,
    visitor: &Visitor,
    (id, (title, what)): (JobId, (&str, &str)),
    payload: &[u8],
) -> Response {
    let content = html! {
        h1 { (title) }
        p { (what) " of job " a href={ "/console/jobs/" (id) } { code { (id) } } ", "
            (text::size(payload.len() as u64)) "." }
        pre.payload tabindex="0" aria-label=(title) { (text::shown(&pretty(payload), MOST)) }
    };
    let about = Page {
        title,
        section: "/console/jobs",
        live: false,
    };
    layout::page(console, visitor, &about, &content)
}

/// JSON on several lines, if it is not so large that nobody reads it; anything else as it is.
fn pretty(body: &[u8]) -> String {
    let parsed = (body.len() <= MOST).then(|| serde_json::from_slice::<serde_json::Value>(body));
    let pretty = parsed.and_then(|parsed| serde_json::to_string_pretty(&parsed.ok()?).ok());
    pretty.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}
