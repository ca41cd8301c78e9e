//! The console: pages about this route for people, rendered here, on the admin port.
//!
//! [`crate::admin`] mounts it. Each page is a file of its own; what it shows comes from the jobs API and `/status`.
//! Invariant: nothing about this route is shown without a session; every answer has the headers of [`shield`]; a page works
//! without the script, which only refreshes it; and no token, code or session id is in a page, a URL or a log line.

mod act;
mod action;
mod assets;
mod bulk;
mod cookie;
mod failure;
mod form;
mod guard;
mod hour;
mod job;
mod jobs;
mod layout;
mod overview;
mod payload;
mod receivers;
mod sessions;
mod shield;
mod sign_in;
mod text;
mod timeline;
mod trial;
mod visitor;
mod why;

use std::sync::Arc;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::store::Store;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};

use self::guard::Guard;
use self::sessions::Sessions;
use super::jobs::token::{Role, Token};
use crate::auth::Auth;
use crate::config::Live;
use crate::servers::catalogue::Catalogue;

/// What the console needs of the process.
#[derive(Clone)]
pub(super) struct Console {
    /// The route as it stands.
    pub(super) live: Live,
    /// Where the jobs are.
    pub(super) store: Arc<dyn Store>,
    /// Who moves them.
    pub(super) engine: Arc<Engine>,
    /// What the store's times are as wall time.
    pub(super) clock: Clock,
    /// Who verifies clients' credentials.
    pub(super) auth: Arc<Auth>,
    /// The servers' tools.
    pub(super) catalogue: Catalogue,
    /// What signs people in.
    pub(super) token: Arc<Token>,
    /// Who is signed in.
    pub(super) sessions: Arc<Sessions>,
}

/// The routes of the console.
pub(super) fn router(console: Console) -> Router {
    let guard = |role| {
        let console = console.clone();
        from_fn_with_state(Guard { console, role }, guard::admit)
    };
    let viewed = Router::new()
        .route("/console", get(overview::page))
        .route("/console/jobs", get(jobs::page))
        .route("/console/jobs/{id}", get(job::page))
        .route("/console/receivers", get(receivers::page))
        .route("/console/why", get(why::page))
        .route("/console/session", get(sign_in::session))
        .route("/console/sign-out", post(sign_in::sign_out))
        .layer(guard(Role::View));
    let administered = Router::new()
        .route("/console/jobs/{id}/result", get(payload::result))
        .route("/console/jobs/{id}/act/{action}", get(act::ask).post(act::run))
        .route("/console/jobs/{id}/request", get(payload::request))
        .route("/console/bulk/{action}", get(bulk::ask).post(bulk::run))
        .route("/console/try", post(trial::send))
        .layer(guard(Role::Admin));
    let open = Router::new()
        .route("/console/", get(|| async { Redirect::permanent("/console") }))
        .route("/console/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/console/codes", post(sign_in::code))
        .route("/console/style.css", get(assets::style))
        .route("/console/script.js", get(assets::script))
        .route("/console/icon.svg", get(assets::icon));
    let pages = viewed.merge(administered).merge(open);
    pages.layer(from_fn(shield::headers)).with_state(console)
}
