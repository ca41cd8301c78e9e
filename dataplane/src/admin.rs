//! The admin port: `/livez`, `/readyz`, `/metrics` and `/status`, and the jobs API and the console behind a token.
//!
//! The kubelet, Prometheus and the operator call it, and people through [`jobs`] and `console`. Here lives what the process reports of
//! itself; clients and servers have no business here. Invariant: what asks for no token names no client, no receiver and
//! no job, and no page in a browser reads any of it (`door`).

mod console;
mod door;
pub mod health;
pub mod jobs;
mod status;

use std::sync::Arc;

use asyncmcp_crds::StatusReport;
use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::store::Store;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{Registry, TextEncoder};

use self::console::Console;
use self::door::Door;
use self::health::Health;
use self::jobs::Jobs;
use self::jobs::token::Token;
use crate::auth::Auth;
use crate::config::Live;
use crate::servers::catalogue::Catalogue;

/// What the admin port shows.
#[derive(Clone)]
pub struct Admin {
    /// The route as it stands.
    pub live: Live,
    /// What `/metrics` shows.
    pub registry: Registry,
    /// Where the jobs are.
    pub store: Arc<dyn Store>,
    /// Who moves them.
    pub engine: Arc<Engine>,
    /// What the store's times are as wall time.
    pub clock: Clock,
    /// Who verifies clients' credentials.
    pub auth: Arc<Auth>,
    /// The servers' tools.
    pub catalogue: Catalogue,
    /// What opens the jobs API and the console.
    pub token: Arc<Token>,
    /// Whether there is a console.
    pub console: bool,
    /// Whether the process lives and is ready.
    pub health: Health,
    /// Whether the listener is bound to loopback only.
    pub loopback: bool,
}

/// What the admin port has.
const INDEX: &str = "/livez /readyz /metrics /status /openapi.json\nwith the admin token: /jobs\n";

/// The routes of the admin port.
pub fn router(admin: Admin) -> Router {
    let jobs = jobs::router(Jobs {
        engine: Arc::clone(&admin.engine),
        clock: admin.clock.clone(),
        token: Arc::clone(&admin.token),
        live: admin.live.clone(),
    });
    let door = Door {
        live: admin.live.clone(),
        loopback: admin.loopback,
    };
    let console = admin.console.then(|| console(&admin));
    let guarded = jobs.merge(console.unwrap_or_default());
    Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(admin)
        .layer(middleware::from_fn_with_state(door.clone(), door::admit_reader))
        .merge(guarded.layer(middleware::from_fn_with_state(door, door::admit)))
}

fn console(admin: &Admin) -> Router {
    console::router(Console {
        live: admin.live.clone(),
        store: Arc::clone(&admin.store),
        engine: Arc::clone(&admin.engine),
        clock: admin.clock.clone(),
        auth: Arc::clone(&admin.auth),
        catalogue: admin.catalogue.clone(),
        token: Arc::clone(&admin.token),
        sessions: Arc::default(),
    })
}

async fn livez(State(admin): State<Admin>) -> Response {
    answer(admin.health.alive())
}

async fn readyz(State(admin): State<Admin>) -> Response {
    answer(admin.health.ready())
}

fn answer(health: Result<(), health::Error>) -> Response {
    match health {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match TextEncoder::new().encode_to_string(&admin.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn status(State(admin): State<Admin>) -> Json<StatusReport> {
    let config = Arc::clone(&admin.live.borrow());
    let parts = (&*admin.auth, &admin.catalogue, &*admin.engine);
    Json(status::report(&config, parts, (&*admin.store, &admin.clock)).await)
}
