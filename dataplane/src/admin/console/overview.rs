//! `GET /console`: what there is to do, and what is wrong.
//!
//! Invariant: it costs no more than `/status`, whatever there is in the store.

use asyncmcp_crds::{ServerReport, StatusReport};
use asyncmcp_delivery::store::Counts;
use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, hour, text};
use crate::admin::jobs::last_hour;
use crate::admin::status;

/// The page.
pub(super) async fn page(State(console): State<Console>, Extension(visitor): Extension<Visitor>) -> Response {
    let config = std::sync::Arc::clone(&console.live.borrow());
    let parts = (&*console.auth, &console.catalogue, &*console.engine);
    let report = status::report(&config, parts, (&*console.store, &console.clock)).await;
    let content = html! {
        h1 { "Overview" }
        (problems(&report))
        (counts(console.store.counts(), &report))
        (hour::section(&last_hour::read(&console.engine, &console.clock)))
        (waiting(&report))
        (servers(&report))
        (tools(&report))
    };
    let about = Page {
        title: "Overview",
        section: "/console",
        live: true,
    };
    layout::page(&console, &visitor, &about, &content)
}

/// What is wrong, as sentences.
fn problems(report: &StatusReport) -> Markup {
    let mut lines = Vec::new();
    lines.extend(report.store_problem.iter().map(|problem| problem.message.clone()));
    let refused = report.refused.iter();
    lines.extend(
        refused.map(|refused| format!("the newest route document is not served: {}", refused.message)),
    );
    let missing = report.missing_keys.iter();
    lines.extend(missing.map(|key| format!("the key {key} cannot be read")));
    let unusable = report.unusable_keys.iter();
    lines.extend(unusable.map(|key| format!("the key {} cannot be used: {}", key.key, key.message)));
    let issuers = report.issuers_without_keys.iter();
    lines.extend(issuers.map(|issuer| {
        format!(
            "no key of the issuer {} was read: {}",
            issuer.issuer, issuer.message
        )
    }));
    let unknown = report.unknown_fields.iter();
    lines.extend(unknown.map(|field| format!("the field {field} is unknown to this version")));
    if report.draining {
        lines.push("the route is being deleted: new calls are refused".to_owned());
    }
    if report.unsigned {
        lines.push("deliveries are not signed: the route configures no key".to_owned());
    }
    html! {
        @if !lines.is_empty() {
            section.problems aria-labelledby="problems" {
                h2 #problems { "Needs attention" }
                ul { @for line in &lines { li { (text::shown(line, 500)) } } }
            }
        }
    }
}

fn counts(counts: Counts, report: &StatusReport) -> Markup {
    let tiles = [
        ("queued", counts.queued, "wait for execution"),
        ("running", counts.running, "execute on their servers"),
        ("due", counts.due, "wait for an attempt"),
        ("sending", counts.sending, "are being sent"),
        ("dead", counts.dead, "dead letters"),
    ];
    let oldest = report
        .delivery
        .oldest_pending_time
        .as_ref()
        .map(|at| at.0.to_string());
    html! {
        section aria-labelledby="counts" {
            h2 #counts { "Jobs" }
            ul.tiles {
                @for (state, number, what) in tiles {
                    li class={ "tile state-" (state) } data-some[number > 0] {
                        a href={ "/console/jobs?state=" (state) } {
                            strong { (text::count(number)) }
                            span.name { (state) }
                            span.hint { (what) }
                        }
                    }
                }
            }
            p.hint {
                @match &oldest {
                    Some(at) => { "The oldest result that is not delivered is from " (text::time(at)) "." },
                    None => { "Every result is delivered." },
                }
                " " a href="/console/jobs" { "All jobs" }
            }
        }
    }
}

fn waiting(report: &StatusReport) -> Markup {
    html! {
        @if !report.waiting.is_empty() || report.disabled_receivers > 0 {
            section aria-labelledby="waiting" {
                h2 #waiting { "Due deliveries that wait" }
                table {
                    thead { tr { th scope="col" { "For" } th.number scope="col" { "Receivers" } } }
                    tbody {
                        @for wait in &report.waiting {
                            tr { td { (text::label(&wait.reason)) } td.number { (wait.receivers) } }
                        }
                        @if report.disabled_receivers > 0 {
                            tr { td { "the receiver answered webhook-delivery: disable" }
                                td.number { (report.disabled_receivers) } }
                        }
                    }
                }
            }
        }
    }
}

fn servers(report: &StatusReport) -> Markup {
    html! {
        section aria-labelledby="servers" {
            h2 #servers { "Servers" }
            div.wide tabindex="0" role="group" aria-labelledby="servers" {
                table {
                    thead { tr {
                        th scope="col" { "Server" } th scope="col" { "State" } th scope="col" { "MCP" }
                        th.number scope="col" { "Tools" } th.number scope="col" { "By webhook" }
                        th scope="col" { "Message" }
                    } }
                    tbody { @for server in &report.servers { (row(server)) } }
                }
            }
        }
    }
}

fn row(server: &ServerReport) -> Markup {
    let state = text::word(&server.state);
    html! {
        tr {
            th scope="row" {
                a href={ "/console/jobs?" (super::jobs::query(&[("server", &server.name)])) } {
                    (text::shown(&server.name, 63))
                }
            }
            td { span class={ "badge server-" (state) } { (state) } }
            td { (text::optional(server.protocol_version.as_deref(), 20)) }
            td.number { (server.tools) }
            td.number { (server.webhook_tools) }
            td { (text::optional(server.message.as_deref(), 300)) }
        }
    }
}

fn tools(report: &StatusReport) -> Markup {
    html! {
        @if !report.webhook_tools.is_empty() {
            section aria-labelledby="tools" {
                h2 #tools { "Webhook tools" }
                table {
                    thead { tr { th scope="col" { "Entry of the route" } th.number scope="col" { "Tools it matches" } } }
                    tbody {
                        @for tool in &report.webhook_tools {
                            tr { th scope="row" { (text::shown(&tool.name, 128)) } td.number { (tool.matched) } }
                        }
                    }
                }
            }
        }
    }
}
