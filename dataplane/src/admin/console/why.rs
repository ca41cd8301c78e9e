//! `GET /console/why`: why nothing has arrived, in one sentence.
//!
//! Invariant: the sentence is that of `GET /why`; the question is in the URL, so that a link asks it again.

use axum::extract::{Extension, RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

use super::failure::Failure;
use super::form::Form;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, text};
use crate::admin::jobs::why::{Sources, Why, of_job, of_receiver};

/// The page.
pub(super) async fn page(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Form::of_query(query.as_deref());
    let about = asked.get("about").map(str::trim).unwrap_or_default();
    let answer = if about.is_empty() {
        None
    } else {
        Some(ask(&console, about).await)
    };
    let content = html! {
        h1 { "Why has nothing arrived?" }
        (form(about))
        @match &answer {
            Some(Ok(why)) => (shown(why)),
            Some(Err(failure)) => p.wrong role="alert" { (text::shown(failure.detail(), 500)) },
            None => p.hint { "Ask about a receiver or a call." },
        }
    };
    let about = Page {
        title: "Why has nothing arrived?",
        section: "/console/why",
        live: matches!(answer, Some(Ok(_))),
    };
    layout::page(&console, &visitor, &about, &content)
}

/// The question.
pub(super) fn form(about: &str) -> Markup {
    html! {
        form.row method="get" action="/console/why" data-keep {
            label for="about" { "Why has nothing arrived?" }
            input #about name="about" value=(about) placeholder="URL of a receiver, job id or webhook-id" size="44"
                autocomplete="off" spellcheck="false";
            button.primary type="submit" { "Ask" }
        }
    }
}

async fn ask(console: &Console, about: &str) -> Result<Why, Failure> {
    let sources = Sources {
        engine: &console.engine,
        clock: &console.clock,
        live: &console.live,
    };
    let is_id = about.len() == 32 && about.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_receiver = is_id || about == "default" || about.contains("://");
    let why = if is_receiver {
        of_receiver(sources, about).await?
    } else {
        of_job(sources, about).await?
    };
    Ok(why)
}

fn shown(why: &Why) -> Markup {
    html! {
        p.next { (text::shown(&why.sentence, 1000)) }
        dl.facts {
            dt { "Reason" } dd { code { (why.reason) } }
            @if let Some(receiver) = &why.receiver { dt { "Receiver" } dd { (text::shown(receiver, 300)) } }
            @if let Some(job) = &why.job { dt { "Job" } dd { a href={ "/console/jobs/" (job) } { code { (job) } } } }
            @if let Some(status) = why.status { dt { "Status" } dd { (status) } }
            @if let Some(until) = &why.until { dt { "Until" } dd { (text::time(until)) } }
        }
    }
}
