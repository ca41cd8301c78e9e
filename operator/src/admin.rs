//! The operator's admin port: `/livez`, `/readyz`, `/metrics`. Started by `main`.
//!
//! Invariant: ready once every cache is warm, whether this replica leads or not: a standby replica is healthy too.

use crate::caches::Caches;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Registry, TextEncoder};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the caches are warm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Becomes ready when all of these caches are warm.
    pub(crate) async fn follow(&self, scopes: &[Caches]) {
        for caches in scopes {
            caches.warm().await;
        }
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The routes of the admin port.
pub(crate) fn router(registry: Registry, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(metrics).with_state(registry))
}

async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, &'static str) {
    if readiness.0.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the caches are not warm yet")
    }
}

async fn metrics(State(registry): State<Registry>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => (StatusCode::OK, kind, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, kind, error.to_string()),
    }
}
