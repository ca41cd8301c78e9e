//! The jobs API of the admin port: a person sees, understands, replays, stops, cancels and deletes jobs.
//!
//! [`crate::admin`] mounts it. Invariant: nothing here answers without a token, but `/openapi.json`, which
//! reveals nothing about this route; and no answer holds a receiver's query or credentials, or a payload that was
//! not asked for.

mod act;
mod body;
mod bulk;
pub(super) mod last_hour;
mod list;
mod problem;
mod query;
pub(super) mod receivers;
mod show;
mod times;
pub mod token;
pub(super) mod trial;
mod view;
mod waiting;
pub(super) mod why;

use std::sync::Arc;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use axum::extract::{FromRef, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use self::problem::Problem;
use self::token::{Role, Token};
use crate::config::Live;

/// What the API needs of the process.
#[derive(Clone)]
pub struct Jobs {
    /// Where the jobs are moved.
    pub engine: Arc<Engine>,
    /// What the store's times are as wall time.
    pub clock: Clock,
    /// What a request has to present.
    pub token: Arc<Token>,
    /// The route as it stands.
    pub live: Live,
}

impl FromRef<Jobs> for Arc<Engine> {
    fn from_ref(jobs: &Jobs) -> Self {
        Self::clone(&jobs.engine)
    }
}

impl FromRef<Jobs> for Clock {
    fn from_ref(jobs: &Jobs) -> Self {
        jobs.clock.clone()
    }
}

impl FromRef<Jobs> for Live {
    fn from_ref(jobs: &Jobs) -> Self {
        jobs.live.clone()
    }
}

/// The routes of the API.
pub fn router(jobs: Jobs) -> Router {
    let token = Arc::clone(&jobs.token);
    let viewed = Router::new()
        .route("/jobs", get(list::list))
        .route("/jobs/{id}", get(show::show))
        .route("/receivers", get(receivers::list))
        .route("/why", get(why::answer))
        .route("/history", get(last_hour::show))
        .layer(from_fn_with_state(Arc::clone(&token), admit_viewer));
    let administered = Router::new()
        .route("/jobs/replay", post(bulk::replay_all))
        .route("/jobs/delete", post(bulk::delete_all))
        .route("/jobs/{id}", delete(act::delete))
        .route("/jobs/{id}/request", get(show::request))
        .route("/jobs/{id}/result", get(show::result))
        .route("/jobs/{id}/replay", post(act::replay))
        .route("/jobs/{id}/stop", post(act::stop))
        .route("/jobs/{id}/cancel", post(act::cancel))
        .route("/try", post(trial::send))
        .layer(from_fn_with_state(token, admit_admin));
    Router::new()
        .route("/openapi.json", get(|| async { Json(Document::openapi()) }))
        .merge(viewed)
        .merge(administered)
        .with_state(jobs)
}

/// For what reads neither payloads nor changes anything.
async fn admit_viewer(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    admit(&token, Role::View, request, next).await
}

/// For everything else.
async fn admit_admin(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    admit(&token, Role::Admin, request, next).await
}

async fn admit(token: &Token, role: Role, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION);
    match token.check(given, role).await {
        Ok(_) => next.run(request).await,
        Err(error) => Problem::from(error).into_response(),
    }
}

/// The document of the API as text: what `--openapi` prints and `openapi.json` in the repository holds.
pub fn document() -> String {
    let json = Document::openapi().to_pretty_json();
    json.expect("a document of strings is JSON") + "\n"
}

/// JSON that is there already.
fn json(bytes: bytes::Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], bytes).into_response()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "asyncmcp jobs API",
        description = "On the admin port of each data plane (9464). A job is one accepted call of a webhook tool, \
                       from its acknowledgement to the end of its delivery. Errors are problem details (RFC 9457).",
    ),
    paths(
        list::list,
        show::show,
        show::request,
        show::result,
        act::replay,
        act::stop,
        act::cancel,
        act::delete,
        bulk::replay_all,
        bulk::delete_all,
        receivers::list,
        why::answer,
        trial::send,
        last_hour::show
    ),
    components(schemas(list::Order)),
    modifiers(&Bearer),
    security(("token" = []))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "Key `adminToken` of the Secret `<route>-keys`; on a laptop the file `adminToken` in `--state-dir`. \
                 `viewToken` beside it lists and shows jobs, without payloads, and changes nothing.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        document.info.license = None;
        document.info.contact = None;
    }
}

#[cfg(test)]
mod tests;
