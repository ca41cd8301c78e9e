//! `GET /console/jobs/{id}`: a job's life, each attempt, what comes next, and what can be done.
//!
//! Invariant: it shows what the jobs API shows, and no payload.

use asyncmcp_delivery::engine::jobs::ActError;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

use super::action::Action;
use super::failure::Failure;
use super::form::Form;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, text, timeline};
use crate::admin::jobs::problem::Problem;
use crate::admin::jobs::token::Role;
use crate::admin::jobs::view::{Attempt, Job};
use crate::admin::jobs::{query, waiting};

/// The page.
pub(super) async fn page(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let job = read(&console, &id).await?;
    let content = html! {
        (heading(&job, visitor.role))
        (notice(Form::of_query(query.as_deref()).get("done")))
        (next(&job))
        (facts(&job))
        (timeline::of(&job))
        (attempts(job.history.as_deref().unwrap_or_default()))
    };
    let about = Page {
        title: &format!("Job {}", job.id),
        section: "/console/jobs",
        live: true,
    };
    Ok(layout::page(&console, &visitor, &about, &content))
}

/// The job as the API shows it.
pub(super) async fn read(console: &Console, id: &str) -> Result<Job, Failure> {
    let shown = console.engine.show(query::id(id)?).await.map_err(Problem::from)?;
    let shown = shown.ok_or_else(|| Problem::from(ActError::Unknown))?;
    Ok(waiting::shown(&console.engine, &console.clock, shown))
}

/// A state as a label.
pub(super) fn badge(state: &str) -> Markup {
    html! { span class={ "badge state-" (state) } { (state) } }
}

/// What was done just now, in a sentence.
pub(super) fn notice(done: Option<&str>) -> Markup {
    let done = done.and_then(|done| done.parse::<Action>().ok());
    html! { @if let Some(done) = done { p.done role="status" data-made="1" { (done.done()) } } }
}

fn heading(job: &Job, role: Role) -> Markup {
    let state = text::word(&job.state);
    html! {
        div.heading {
            h1 { "Job of " (text::optional(job.tool.as_deref(), 128)) " " (badge(&state)) }
            @if role == Role::Admin {
                ul.actions aria-label="Actions" {
                    @for action in Action::possible(&state) {
                        li { a.button href={ "/console/jobs/" (job.id) "/act/" (action.as_str()) } { (action.label()) } }
                    }
                    @if job.outcome.is_none() {
                        li { a.button href={ "/console/jobs/" (job.id) "/request" } { "Show the request" } }
                    }
                    @if job.outcome.is_some() {
                        li { a.button href={ "/console/jobs/" (job.id) "/result" } { "Show the response" } }
                    }
                }
            }
        }
    }
}

/// What comes next, in a sentence.
fn next(job: &Job) -> Markup {
    html! {
        @if let Some(waiting) = &job.waiting_for {
            p.next {
                "It waits for " (waiting.message)
                @if let Some(until) = &waiting.until { ", until " (text::time(until)) }
                "."
            }
        } @else if let Some(why) = &job.dead_reason {
            p.next { "It is a dead letter: " (text::label(&text::word(why))) ". No attempt follows unless it is replayed." }
        }
        @if job.poisoned {
            p.next { "Its executions were interrupted so often that the call is assumed to be the cause." }
        }
    }
}

fn facts(job: &Job) -> Markup {
    let reason = job.last_failure.as_ref().map(|why| text::label(&text::word(why)));
    html! {
        dl.facts {
            dt { "Job id" } dd { (copied(&job.id)) }
            dt { "webhook-id" } dd { (copied(&job.webhook_id)) }
            dt { "Server" } dd { (text::optional(job.server.as_deref(), 63)) }
            dt { "Receiver" } dd {
                @match &job.receiver {
                    Some(receiver) => { (text::shown(&receiver.url, 300)) span.hint { " named by the " (receiver.named_by) } },
                    None => { span.hint { "none: the result is polled" } },
                }
            }
            dt { "Client" } dd { a href={ "/console/jobs?client=" (job.client) } { code { (job.client) } } }
            dt { "Outcome" } dd { (text::optional(job.outcome, 20)) }
            dt { "Size" } dd { (text::size(job.size.into())) }
            dt { "Executions" } dd { (job.executions) }
            dt { "Attempts" } dd { (job.attempts) " since it was accepted or last replayed" }
            dt { "Replays" } dd { (job.replays) }
            dt { "Trace" } dd { @match &job.trace_id { Some(id) => (copied(id)), None => (text::optional(None, 0)) } }
            dt { "Last failure" } dd { (text::optional(reason.as_deref(), 40)) }
        }
    }
}

/// An id that the script makes a button for.
pub(super) fn copied(id: &str) -> Markup {
    html! { code data-copy { (id) } }
}

fn attempts(history: &[Attempt]) -> Markup {
    html! {
        section aria-labelledby="attempts" {
            h2 #attempts { "Attempts" }
            @if history.is_empty() {
                p.hint { "None yet." }
            } @else {
                div.wide tabindex="0" role="group" aria-labelledby="attempts" {
                    table {
                        thead { tr {
                            th.number scope="col" { "No." } th scope="col" { "Began" } th.number scope="col" { "Took" }
                            th scope="col" { "Outcome" } th.number scope="col" { "Status" } th scope="col" { "Why" }
                            th scope="col" { "Next attempt" } th.number scope="col" { "Replay" }
                        } }
                        tbody { @for attempt in history.iter().rev() { (row(attempt)) } }
                    }
                }
                p.hint { "The newest first. Of a first attempt that delivered, only that it did is kept." }
            }
        }
    }
}

fn row(attempt: &Attempt) -> Markup {
    let took = attempt
        .duration_ms
        .map(std::time::Duration::from_millis)
        .map(text::duration);
    let status = attempt.status.map(|status| status.to_string());
    let why = attempt.category.map(text::label);
    html! {
        tr {
            th.number scope="row" { (attempt.number) }
            td { (text::optional_time(attempt.started_at.as_deref())) }
            td.number { (text::optional(took.as_deref(), 20)) }
            td { span class={ "badge outcome-" (attempt.outcome) } { (attempt.outcome) } }
            td.number { (text::optional(status.as_deref(), 3)) }
            td { (text::optional(why.as_deref(), 40)) }
            td { (text::optional_time(attempt.next_attempt_at.as_deref())) }
            td.number { (attempt.replay) }
        }
    }
}
