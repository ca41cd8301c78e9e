//! What the console answers where it cannot show what was asked for.
//!
//! Invariant: the page says what is wrong and what to do, and nothing about jobs that the visitor may not see.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::layout;
use super::text;
use crate::admin::jobs::problem::Problem;

/// A page that says what is wrong.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    detail: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, detail }
    }

    /// What is wrong.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let detail = match problem.field {
            Some(field) => format!("{field}: {}", problem.detail),
            None => problem.detail,
        };
        Self { status, detail }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let content = html! {
            h1 { (title) }
            p.wrong role="alert" { (text::shown(&self.detail, 500)) }
            p { a href="/console" { "Overview" } " · " a href="/console/jobs" { "Jobs" } }
        };
        (self.status, layout::bare(title, &content)).into_response()
    }
}
