//! `GET /console/receivers`: which receivers get deliveries, which do not and why.
//!
//! Invariant: it shows what `GET /receivers` shows, and asks and tries through the pages of [`super::why`] and
//! [`super::trial`].

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::failure::Failure;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, text, trial, why};
use crate::admin::jobs::receivers::{self, KnownReceiver, Receivers};
use crate::admin::jobs::token::Role;

/// The page.
pub(super) async fn page(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Failure> {
    let found = receivers::read(&console.engine, &console.clock).await?;
    let content = html! {
        h1 { "Receivers" }
        (why::form(""))
        @if visitor.role == Role::Admin { (trial::form(&visitor, "default")) }
        (table(&found))
    };
    let about = Page {
        title: "Receivers",
        section: "/console/receivers",
        live: true,
    };
    Ok(layout::page(&console, &visitor, &about, &content))
}

fn table(found: &Receivers) -> Markup {
    html! {
        section aria-labelledby="known" {
            h2 #known { "Receivers that this process knows" }
            @if found.receivers.is_empty() {
                p.hint { "None yet: nothing is due, and nothing was sent since the process started." }
            } @else {
                div.wide tabindex="0" role="group" aria-labelledby="known" {
                    table {
                        thead { tr {
                            th scope="col" { "Receiver" } th scope="col" { "State" } th scope="col" { "Until" }
                            th.number scope="col" { "Due" } th.number scope="col" { "In flight" }
                            th scope="col" { "Last attempt" } th scope="col" { "Last delivered" }
                        } }
                        tbody { @for receiver in &found.receivers { (row(receiver)) } }
                    }
                }
            }
            @if found.left_out > 0 { p.hint { (text::count(found.left_out as u64)) " more are not listed." } }
        }
    }
}

fn row(receiver: &KnownReceiver) -> Markup {
    let state = text::word(&receiver.state);
    html! {
        tr {
            th scope="row" {
                a href={ "/console/why?about=" (receiver.id) } {
                    @match &receiver.url { Some(url) => { (text::shown(url, 120)) }, None => { (receiver.id) } }
                }
            }
            td { span class={ "badge receiver-" (state) } { (text::label(&state)) }
                @if let Some(waiting) = &receiver.waiting_for { " " span.hint { (waiting.message) } } }
            td { (text::optional_time(receiver.until.as_deref())) }
            td.number { (receiver.due) @if receiver.due >= 100 { "+" } }
            td.number { (receiver.in_flight) " of " (receiver.max_in_flight) }
            td { @if let Some(last) = &receiver.last_attempt {
                span class={ "badge outcome-" (last.outcome) } { (last.outcome) }
                @if let Some(status) = last.status { " " (status) }
                @if let Some(category) = last.category { " " (text::label(category)) }
            } @else { (text::optional(None, 0)) } }
            td { (text::optional_time(receiver.last_delivered_at.as_deref())) }
        }
    }
}
