//! The operator's admin port: `/livez`, `/readyz`, `/metrics`. Started by `main`.
//!
//! Invariant: ready while every cache is warm and every watch is heard, and no other operator rules where this replica
//! should; a standby replica is ready too. Live unless a restart would help.

pub(crate) mod port;

use crate::api::hearing::Hearing;
use crate::caches::Caches;
use crate::definition::Definition;
use crate::ruling::Shown;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Registry, TextEncoder};

/// What `/livez` and `/readyz` are decided by.
#[derive(Clone)]
pub(crate) struct Health {
    /// The caches of every scope.
    pub(crate) caches: Vec<Caches>,
    pub(crate) hearing: Hearing,
    pub(crate) ruling: Shown,
    pub(crate) definition: Definition,
}

impl Health {
    /// Why this replica is not ready; empty if it is.
    fn unready(&self) -> Vec<String> {
        let cold: Vec<String> = self.caches.iter().flat_map(Caches::cold).collect();
        let cold = (!cold.is_empty()).then(|| format!("not listed yet: {}", cold.join(", ")));
        cold.into_iter()
            .chain(self.hearing.late())
            .chain(self.ruling.missing())
            .collect()
    }
}

/// The routes of the admin port.
pub(crate) fn router(registry: Registry, health: Health) -> Router {
    Router::new()
        .route("/livez", get(livez).with_state(health.hearing.clone()))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(metrics).with_state(registry))
}

async fn livez(State(hearing): State<Hearing>) -> (StatusCode, String) {
    match hearing.deaf() {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    let unready = health.unready();
    if unready.is_empty() {
        let lack = health.definition.lack().map(|lack| format!("\n{lack}"));
        (StatusCode::OK, format!("ok{}", lack.unwrap_or_default()))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, unready.join("\n"))
    }
}

async fn metrics(State(registry): State<Registry>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => (StatusCode::OK, kind, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, kind, error.to_string()),
    }
}
