//! An action on one job: a page that asks, and the form on it that does it.
//!
//! Invariant: a `GET` changes nothing, and what cannot be done is answered with the state that the job is in.

use asyncmcp_delivery::engine::jobs::ActError;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::action::Action;
use super::failure::Failure;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, job, text};
use crate::admin::jobs::query;

/// `GET /console/jobs/{id}/act/{action}`: what would be done.
pub(super) async fn ask(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let action: Action = action.parse()?;
    let shown = job::read(&console, &id).await?;
    let state = text::word(&shown.state);
    let title = format!("{} this job?", action.label());
    let content = html! {
        h1 { (title) }
        dl.facts {
            dt { "Job" } dd { code { (shown.id) } }
            dt { "State" } dd { (job::badge(&state)) }
            dt { "Tool" } dd { (text::optional(shown.tool.as_deref(), 128)) }
        }
        @if action.states().contains(&state.as_str()) {
            p { (action.explanation()) }
            form.row method="post" {
                (layout::form_token(&visitor))
                button.primary type="submit" { (action.label()) }
                a.button href={ "/console/jobs/" (shown.id) } { "Back" }
            }
        } @else {
            p.wrong role="alert" { "This cannot be done while the job is " (text::label(&state)) "." }
            p { a href={ "/console/jobs/" (shown.id) } { "Back to the job" } }
        }
    };
    let about = Page {
        title: &title,
        section: "/console/jobs",
        live: false,
    };
    Ok(layout::page(&console, &visitor, &about, &content))
}

/// `POST /console/jobs/{id}/act/{action}`.
pub(super) async fn run(
    State(console): State<Console>,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (action, id) = (action.parse::<Action>()?, query::id(&id)?);
    let engine = &console.engine;
    let done = match action {
        Action::Replay => engine.replay(id).await.map(drop),
        Action::Stop => engine.stop(id).await.map(drop),
        Action::Cancel => engine.cancel_or_say(id).await.map(drop),
        Action::Delete => engine.delete(id).await.map(drop),
    };
    done.map_err(|error| failure(action, error))?;
    let to = match action {
        Action::Delete => "/console/jobs?done=delete".to_owned(),
        other => format!("/console/jobs/{id}?done={}", other.as_str()),
    };
    Ok(Redirect::to(&to).into_response())
}

fn failure(action: Action, error: ActError) -> Failure {
    match error {
        ActError::Impossible(_) => {
            let states = action.states().join(" or ");
            let detail = format!("{error}: {} needs a job that is {states}", action.as_str());
            Failure::new(StatusCode::CONFLICT, detail)
        }
        other => crate::admin::jobs::problem::Problem::from(other).into(),
    }
}
