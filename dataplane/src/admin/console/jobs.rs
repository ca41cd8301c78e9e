//! `GET /console/jobs`: jobs by a filter that the URL holds, so that a link shows the same to somebody else.
//!
//! Invariant: the filter is that of the jobs API, and a page costs what a page of it costs.

use std::str::FromStr as _;

use asyncmcp_delivery::engine::jobs::Page as Part;
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::state::{Category, Stage};
use axum::extract::{Extension, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::action::Action;
use super::failure::Failure;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, job, text};
use crate::admin::jobs::problem::Problem;
use crate::admin::jobs::token::Role;
use crate::admin::jobs::view::Job;
use crate::admin::jobs::{query as api, times, waiting};

/// Fields of the filter that are entered as text: parameter, label, example.
const TEXTS: [(&str, &str, &str); 6] = [
    ("tool", "Tool", ""),
    ("server", "Server", ""),
    ("client", "Client", "16 digits"),
    ("receiver", "Receiver", "host or URL"),
    ("since", "Accepted since", "2026-11-28T08:30:00Z"),
    ("until", "and before", "2026-11-28T09:00:00Z"),
];

/// What the URL holds, in order and without what is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Filter(Vec<(String, String)>);

/// The page.
pub(super) async fn page(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(raw): RawQuery,
) -> Response {
    let raw = raw.unwrap_or_default();
    let filter = Filter::read(&raw);
    match filter.elsewhere(&raw) {
        Some(to) => Redirect::to(&to).into_response(),
        None => shown(&console, &visitor, &filter).await,
    }
}

async fn shown(console: &Console, visitor: &Visitor, filter: &Filter) -> Response {
    let (done, filter) = filter.without_notice();
    let found = find(console, &filter).await;
    let content = html! {
        h1 { "Jobs" }
        (job::notice(done.as_deref()))
        (states(console, &filter))
        (fields(&filter))
        @match &found {
            Ok((jobs, next)) => {
                (bulk(&filter, visitor.role))
                (table(jobs, &filter))
                (more(&filter, next.as_deref()))
            }
            Err(failure) => { p.wrong role="alert" { (text::shown(failure.detail(), 500)) } }
        }
    };
    let about = Page {
        title: "Jobs",
        section: "/console/jobs",
        live: found.is_ok(),
    };
    layout::page(console, visitor, &about, &content)
}

/// A page of jobs, and where the next one begins.
async fn find(console: &Console, filter: &Filter) -> Result<(Vec<Job>, Option<String>), Failure> {
    let (query, pages) = api::parse(&filter.text())?;
    let part = Part {
        order: pages.order,
        after: pages.cursor,
        limit: pages.limit,
    };
    let listing = console
        .engine
        .list(&times::stored(&console.clock, query), part)
        .await;
    let listing = listing.map_err(Problem::from)?;
    let jobs = listing.jobs.into_iter();
    let jobs = jobs.map(|listed| waiting::listed(&console.engine, &console.clock, listed));
    Ok((jobs.collect(), listing.next.map(|next| next.to_string())))
}

/// One link for each state, with the counts that are known without a look at the store.
fn states(console: &Console, filter: &Filter) -> Markup {
    let counts = console.store.counts();
    let count = |stage| match stage {
        Stage::Queued => Some(counts.queued),
        Stage::Running => Some(counts.running),
        Stage::Due => Some(counts.due),
        Stage::Sending => Some(counts.sending),
        Stage::Dead => Some(counts.dead),
        _ => None,
    };
    let current = filter.get("state");
    html! {
        nav.states aria-label="States" {
            ul {
                li { a href=(filter.link("state", None)) aria-current=[current.is_none().then_some("true")] { "all" } }
                @for stage in Stage::ALL {
                    @let name = stage.as_str();
                    li { a href=(filter.link("state", Some(name)))
                        aria-current=[(current == Some(name)).then_some("true")] {
                        (name) @if let Some(count) = count(stage) { " " span.count { (text::count(count)) } }
                    } }
                }
            }
        }
    }
}

fn fields(filter: &Filter) -> Markup {
    let names = TEXTS.iter().map(|(name, ..)| *name);
    let is_used = names
        .chain(["id", "webhookId", "deadReason", "order"])
        .any(|name| filter.get(name).is_some());
    html! {
        details.filters open[is_used] {
            summary { "Filter" }
            form method="get" action="/console/jobs" data-keep {
                @if let Some(state) = filter.get("state") { input type="hidden" name="state" value=(state); }
                (field("id", "Job id or webhook-id", "", filter.get("webhookId")))
                @for (name, label, example) in TEXTS { (field(name, label, example, filter.get(name))) }
                p { label for="deadReason" { "Dead because" } (reasons(filter.get("deadReason"))) }
                p { label for="order" { "Order" }
                    select #order name="order" {
                        option value="" selected[filter.get("order") != Some("oldest")] { "newest first" }
                        option value="oldest" selected[filter.get("order") == Some("oldest")] { "oldest first" }
                    }
                }
                p.row { button.primary type="submit" { "Filter" } a.button href="/console/jobs" { "Clear" } }
            }
        }
    }
}

fn field(name: &str, label: &str, example: &str, value: Option<&str>) -> Markup {
    html! {
        p {
            label for=(name) { (label) }
            input id=(name) name=(name) value=[value] placeholder=(example) autocomplete="off" spellcheck="false";
        }
    }
}

fn reasons(current: Option<&str>) -> Markup {
    html! {
        select #deadReason name="deadReason" {
            option value="" { "any reason" }
            @for reason in Category::ALL.map(Category::as_str) {
                option value=(reason) selected[current == Some(reason)] { (text::label(reason)) }
            }
        }
    }
}

/// What can be done to all jobs that match.
fn bulk(filter: &Filter, role: Role) -> Markup {
    let state = filter.get("state").unwrap_or_default();
    let actions = [Action::Replay, Action::Delete].into_iter();
    let actions = actions.filter(|action| role == Role::Admin && action.states().contains(&state));
    html! {
        ul.actions aria-label="Actions on all jobs that match" {
            @for action in actions {
                li { a.button href={ "/console/bulk/" (action.as_str()) "?" (filter.of_all()) } {
                    (action.label()) " all that match …"
                } }
            }
        }
    }
}

fn table(jobs: &[Job], filter: &Filter) -> Markup {
    html! {
        @if jobs.is_empty() {
            p.hint { "No job on this page matches." }
        } @else {
            div.wide tabindex="0" role="region" aria-label="Jobs" {
                table {
                    thead { tr {
                        th scope="col" { "Accepted" } th scope="col" { "State" } th scope="col" { "Tool" }
                        th scope="col" { "Server" } th scope="col" { "Receiver" } th.number scope="col" { "Attempts" }
                        th scope="col" { "Waits for, or why it failed" } th scope="col" { "Job" }
                    } }
                    tbody { @for job in jobs { (row(job, filter)) } }
                }
            }
        }
    }
}

fn row(shown: &Job, filter: &Filter) -> Markup {
    let why = why(shown);
    html! {
        tr id={ "job-" (shown.id) } {
            td { (text::time(&shown.accepted_at)) }
            td { (job::badge(&text::word(&shown.state))) }
            td { @match &shown.tool {
                Some(tool) => a href=(filter.link("tool", Some(tool))) { (text::shown(tool, 60)) },
                None => (text::optional(None, 0)),
            } }
            td { (text::optional(shown.server.as_deref(), 63)) }
            td { (text::optional(shown.receiver.as_ref().map(|receiver| &*receiver.url), 60)) }
            td.number { (shown.attempts) }
            td { (text::optional(why.as_deref(), 40)) }
            td { a href={ "/console/jobs/" (shown.id) } { code { (shown.id) } } }
        }
    }
}

fn why(job: &Job) -> Option<String> {
    let waiting = job
        .waiting_for
        .as_ref()
        .map(|waiting| text::label(waiting.reason));
    let dead = job.dead_reason.as_ref().or(job.last_failure.as_ref());
    waiting.or_else(|| dead.map(|why| text::label(&text::word(why))))
}

fn more(filter: &Filter, next: Option<&str>) -> Markup {
    html! {
        nav.row aria-label="Pages of the list" {
            @if filter.get("cursor").is_some() { a.button href=(filter.link("cursor", None)) { "First page" } }
            @if next.is_some() { a.button rel="next" href=(filter.link("cursor", next)) { "Next page" } }
        }
    }
}

/// A query string.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

impl Filter {
    fn read(raw: &str) -> Self {
        let pairs = url::form_urlencoded::parse(raw.as_bytes()).into_owned();
        let trimmed = pairs.map(|(name, value)| (name, value.trim().to_owned()));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Where this leads instead: to the job with this id, or to the same filter as a link has it.
    fn elsewhere(&self, raw: &str) -> Option<String> {
        let Some(id) = self.get("id") else {
            let has_empty = url::form_urlencoded::parse(raw.as_bytes()).count() != self.0.len();
            return has_empty.then(|| format!("/console/jobs?{}", self.text()));
        };
        if JobId::from_str(id).is_ok() {
            return Some(format!("/console/jobs/{id}"));
        }
        let rest = self.with("id", None).with("webhookId", Some(id));
        Some(format!("/console/jobs?{}", rest.text()))
    }

    /// The filter without what was done just now.
    fn without_notice(&self) -> (Option<String>, Self) {
        (self.get("done").map(str::to_owned), self.with("done", None))
    }

    fn with(&self, name: &str, value: Option<&str>) -> Self {
        let rest = self.0.iter().filter(|(known, _)| known != name).cloned();
        let value = value.map(|value| (name.to_owned(), value.to_owned()));
        Self(rest.chain(value).collect())
    }

    /// The same with another value; a changed filter begins at its first page.
    fn link(&self, name: &str, value: Option<&str>) -> String {
        format!(
            "/console/jobs?{}",
            self.with("cursor", None).with(name, value).text()
        )
    }

    /// All jobs that match, whichever page is shown.
    fn of_all(&self) -> String {
        let names = ["cursor", "limit", "order"];
        names
            .iter()
            .fold(self.clone(), |filter, name| filter.with(name, None))
            .text()
    }

    fn text(&self) -> String {
        let pairs: Vec<(&str, &str)> = self.0.iter().map(|(name, value)| (&**name, &**value)).collect();
        query(&pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_the_filter_and_nothing_empty() {
        let raw = "state=dead&tool=&receiver=a%26b";
        let filter = Filter::read(raw);
        let clean = "/console/jobs?state=dead&receiver=a%26b";
        assert_eq!(filter.elsewhere(raw).as_deref(), Some(clean));
        assert_eq!(filter.elsewhere("state=dead&receiver=a%26b"), None);
        assert_eq!(filter.link("state", None), "/console/jobs?receiver=a%26b");
        let paged = filter.with("cursor", Some("x")).with("limit", Some("5"));
        assert_eq!(
            paged.link("tool", Some("t")),
            "/console/jobs?state=dead&receiver=a%26b&limit=5&tool=t"
        );
        assert_eq!(paged.of_all(), "state=dead&receiver=a%26b");
    }

    #[test]
    fn an_id_leads_to_its_job() {
        let job = "01kb1kxk0m0000000000000000";
        let raw = format!("id={job}&state=dead");
        assert_eq!(
            Filter::read(&raw).elsewhere(&raw),
            Some(format!("/console/jobs/{job}"))
        );
        let raw = "id=msg_0&state=dead";
        let webhook = "/console/jobs?state=dead&webhookId=msg_0";
        assert_eq!(Filter::read(raw).elsewhere(raw).as_deref(), Some(webhook));
    }
}
