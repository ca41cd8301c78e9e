//! The admin port: `/livez`, `/readyz`, `/metrics` and `/status`, and the jobs API behind its token.
//!
//! The kubelet, Prometheus and the operator call it, and people through [`crate::jobs`]. Invariant: what asks
//! for no token names no client, no receiver and no job.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::TextEncoder;

use crate::app::App;
use crate::jobs;

/// The routes of the admin port.
pub fn router(app: Arc<App>) -> Router {
    let jobs = jobs::router(app.jobs());
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(app)
        .merge(jobs)
}

/// Alive: neither the store nor the engine has failed for good. The process ends by itself then, but first waits
/// for what still runs, and until then this is how others see it.
async fn livez(State(app): State<Arc<App>>) -> Response {
    answer(app.liveness().check())
}

/// Ready: every server was tried once, and the process is not ending. A server or a store that is
/// down changes nothing here: ordinary calls, or calls to other servers, still work.
async fn readyz(State(app): State<Arc<App>>) -> Response {
    answer(app.readiness())
}

fn answer(check: Result<(), impl std::fmt::Display>) -> Response {
    match check {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match TextEncoder::new().encode_to_string(&app.registry().gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn status(State(app): State<Arc<App>>) -> Response {
    match app.status().await {
        Ok(report) => Json(report).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::liveness::Failed;

    #[test]
    fn a_check_that_fails_is_answered_with_503() {
        assert_eq!(answer(Ok::<_, Failed>(())).status(), StatusCode::OK);
        let failed = answer(Err(Failed::Engine));
        assert_eq!(failed.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
