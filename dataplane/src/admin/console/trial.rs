//! `POST /console/try`: one signed test delivery, and how it went.
//!
//! Invariant: it is that of `POST /try`: the policy of the route decides where it may go, and no job is made.

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::failure::Failure;
use super::form::Form;
use super::layout::{self, Page};
use super::visitor::Visitor;
use super::{Console, text};
use crate::admin::jobs::trial::{self, Tried};

/// Sends it.
pub(super) async fn send(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    Extension(given): Extension<Form>,
) -> Result<Response, Failure> {
    let receiver = given.get("receiver").map_or("default", str::trim);
    let tried = trial::run(&console.engine, &console.live, receiver).await?;
    let content = html! {
        h1 { "Test delivery" }
        (shown(&tried))
        (form(&visitor, receiver))
        p { a href="/console/receivers" { "Back to the receivers" } }
    };
    let about = Page {
        title: "Test delivery",
        section: "/console/receivers",
        live: false,
    };
    Ok(layout::page(&console, &visitor, &about, &content))
}

/// Where to send one.
pub(super) fn form(visitor: &Visitor, receiver: &str) -> Markup {
    html! {
        form.row method="post" action="/console/try" data-keep {
            (layout::form_token(visitor))
            label for="receiver" { "Send a test delivery to" }
            input #receiver name="receiver" value=(receiver) size="44" autocomplete="off" spellcheck="false"
                aria-describedby="own";
            button type="submit" { "Send" }
            span.hint #own { code { "default" } " is the route's own receiver." }
        }
    }
}

fn shown(tried: &Tried) -> Markup {
    html! {
        p class=(if tried.delivered { "done" } else { "wrong" }) role="status" { (text::shown(&tried.message, 500)) }
        dl.facts {
            dt { "webhook-id" } dd { code data-copy { (tried.webhook_id) } }
            dt { "Took" } dd { (text::duration(std::time::Duration::from_millis(tried.duration_ms))) }
            dt { "Signed" } dd { (if tried.signed { "yes" } else { "no" }) }
        }
    }
}
