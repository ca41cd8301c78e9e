//! An action on many jobs: a page that counts them and asks, and the form on it that does it.
//!
//! Invariant: one request reads and changes a bounded number of jobs; where there are more, the answer says so and has a form
//! that continues.

use asyncmcp_delivery::engine::jobs::{Bulk, MOST, Page as Part, Query};
use asyncmcp_delivery::store::scan::{Cursor, Order};
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::action::Action;
use super::failure::Failure;
use super::form::Form;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, text};
use crate::admin::jobs::{query, times};

/// The most rounds of one request.
const ROUNDS: usize = 10;

/// Which jobs, and what is done to them.
struct Asked {
    action: Action,
    query: Query,
    /// The same as it was written.
    filter: String,
}

/// `GET /console/bulk/{action}`: how many jobs it would be about.
pub(super) async fn ask(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Path(action): Path<String>,
    RawQuery(filter): RawQuery,
) -> Result<Response, Failure> {
    let asked = Asked::read(&console, &action, filter)?;
    let (number, is_all) = count(&console, &asked.query).await?;
    let jobs = text::jobs(number);
    let question = format!(
        "{} {}{jobs}?",
        asked.action.label(),
        if is_all { "" } else { "at least " }
    );
    let content = html! {
        h1 { (question) }
        (asked.filters())
        p { (asked.action.explanation()) }
        @if number == 0 && is_all {
            p.wrong role="alert" { "No job matches this filter." }
        } @else {
            form.row method="post" {
                (layout::form_token(&visitor))
                button.primary type="submit" { (asked.action.label()) " " (jobs) @if !is_all { " or more" } }
                (asked.back())
            }
        }
        @if number == 0 && is_all { p { (asked.back()) } }
    };
    Ok(asked.page(&console, &visitor, &content))
}

/// `POST /console/bulk/{action}`.
pub(super) async fn run(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Extension(form): Extension<Form>,
    (Path(action), RawQuery(filter)): (Path<String>, RawQuery),
) -> Result<Response, Failure> {
    let asked = Asked::read(&console, &action, filter)?;
    let after = form.get("cursor").map(query::cursor_of).transpose()?;
    let before: u64 = form
        .get("before")
        .and_then(|before| before.parse().ok())
        .unwrap_or(0);
    let done = change(&console, &asked, after).await?;
    let number = before + done.changed as u64;
    let verb = match asked.action {
        Action::Delete => "deleted",
        _ => "due again",
    };
    let content = html! {
        h1 { (text::jobs(number)) " " (verb) }
        (asked.filters())
        @if let Some(next) = done.next {
            p { "There may be more. Continue where this stopped." }
            form.row method="post" {
                (layout::form_token(&visitor))
                input type="hidden" name="cursor" value=(next.to_string());
                input type="hidden" name="before" value=(number);
                button.primary type="submit" { "Continue" }
                (asked.back())
            }
        } @else {
            p { "No further job matches." }
            p { (asked.back()) }
        }
    };
    Ok(asked.page(&console, &visitor, &content))
}

/// How many jobs match, and whether that is all of them.
async fn count(console: &Console, query: &Query) -> Result<(u64, bool), Failure> {
    let (mut number, mut after) = (0, None);
    for _ in 0..ROUNDS {
        let part = Part {
            order: Order::Newest,
            after,
            limit: MOST,
        };
        let listing = console.engine.list(query, part).await;
        let listing =
            listing.map_err(|error| Failure::from(crate::admin::jobs::problem::Problem::from(error)))?;
        number += listing.jobs.len() as u64;
        after = listing.next;
        if after.is_none() {
            return Ok((number, true));
        }
    }
    Ok((number, false))
}

async fn change(console: &Console, asked: &Asked, after: Option<Cursor>) -> Result<Bulk, Failure> {
    let (engine, query) = (&console.engine, &asked.query);
    let mut done = Bulk {
        changed: 0,
        next: after,
    };
    for _ in 0..ROUNDS {
        let part = match asked.action {
            Action::Delete => engine.delete_all(query, done.next, MOST).await,
            _ => engine.replay_all(query, done.next, MOST).await,
        };
        let part = part.map_err(|error| Failure::from(crate::admin::jobs::problem::Problem::from(error)))?;
        done.changed += part.changed;
        done.next = part.next;
        if done.next.is_none() {
            break;
        }
    }
    Ok(done)
}

impl Asked {
    fn read(console: &Console, action: &str, filter: Option<String>) -> Result<Self, Failure> {
        let (action, filter) = (action.parse::<Action>()?, filter.unwrap_or_default());
        if !matches!(action, Action::Replay | Action::Delete) {
            let detail = "only replay and delete are for many jobs: stop or cancel them one by one";
            return Err(Failure::new(StatusCode::NOT_FOUND, detail));
        }
        let (query, _) = query::parse(&filter)?;
        let states = action.states();
        let state = query.filter.stage.map(asyncmcp_delivery::state::Stage::as_str);
        if !state.is_some_and(|state| states.contains(&state)) {
            let detail = format!(
                "state: must be one of {}; only such jobs can be chosen here",
                states.join(", ")
            );
            return Err(Failure::new(StatusCode::CONFLICT, detail));
        }
        Ok(Self {
            action,
            query: times::stored(&console.clock, query),
            filter,
        })
    }

    fn filters(&self) -> Markup {
        html! {
            dl.facts {
                @for (name, value) in url::form_urlencoded::parse(self.filter.as_bytes()) {
                    dt { (text::shown(&name, 32)) } dd { (text::shown(&value, 200)) }
                }
            }
        }
    }

    fn back(&self) -> Markup {
        html! { a.button href={ "/console/jobs?" (self.filter) } { "Back to the list" } }
    }

    fn page(&self, console: &Console, visitor: &Visitor, content: &Markup) -> Response {
        let title = format!("{} many jobs", self.action.label());
        let about = Page {
            title: &title,
            section: "/console/jobs",
            live: false,
        };
        layout::page(console, visitor, &about, content)
    }
}
