//! What all pages share: the head, the navigation, the footer.
//!
//! Invariant: a page has one `main`, which the script refreshes if it is live; everything else stays.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::Console;
use super::text;
use super::visitor::Visitor;
use crate::admin::jobs::token::Role;

/// A page of the console.
pub(super) struct Page<'a> {
    /// Its title.
    pub(super) title: &'a str,
    /// The path of its entry in the navigation.
    pub(super) section: &'a str,
    /// Whether it is refreshed.
    pub(super) live: bool,
}

/// The navigation: path and label.
const SECTIONS: [(&str, &str); 4] = [
    ("/console", "Overview"),
    ("/console/jobs", "Jobs"),
    ("/console/receivers", "Receivers"),
    ("/console/why", "Why?"),
];

/// A page with its navigation.
pub(super) fn page(console: &Console, visitor: &Visitor, page: &Page<'_>, content: &Markup) -> Response {
    let name = {
        let config = console.live.borrow();
        format!("{}/{}", config.route.namespace, config.route.name)
    };
    let body = html! {
        header.top {
            p.brand { "asyncmcp " span.route { (text::shown(&name, 130)) } }
            (navigation(page))
            (who(visitor))
        }
        p #status role="status" aria-live="polite" {}
        main #main tabindex="-1" data-live[page.live] { (content) }
        (footer())
    };
    document(page.title, &body)
}

/// A page for who is not signed in, or cannot be shown what they asked for.
pub(super) fn bare(title: &str, content: &Markup) -> Response {
    let body = html! {
        header.top { p.brand { "asyncmcp" } }
        p #status role="status" aria-live="polite" {}
        main #main.narrow tabindex="-1" { (content) }
        (footer())
    };
    document(title, &body)
}

/// What each form of a visitor carries.
pub(super) fn form_token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="form" value=(visitor.form_token); }
}

fn navigation(page: &Page<'_>) -> Markup {
    html! {
        nav aria-label="Pages" {
            ul {
                @for (path, label) in SECTIONS {
                    li { a href=(path) aria-current=[(path == page.section).then_some("page")] { (label) } }
                }
            }
        }
    }
}

fn who(visitor: &Visitor) -> Markup {
    let role = match visitor.role {
        Role::Admin => "admin",
        Role::View => "view only",
    };
    html! {
        form.who method="post" action="/console/sign-out" {
            (form_token(visitor))
            span.role { (role) }
            button type="submit" { "Sign out" }
        }
    }
}

fn footer() -> Markup {
    html! {
        footer { p { "asyncmcp " (env!("CARGO_PKG_VERSION")) " · times are UTC" } }
    }
}

fn document(title: &str, body: &Markup) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · asyncmcp" }
                link rel="icon" href="/console/icon.svg";
                link rel="stylesheet" href="/console/style.css";
                script src="/console/script.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    };
    Html(document.into_string()).into_response()
}
