//! Where the result of one call is.
//!
//! Invariant: the sentence names what happens next, and when, where that is known.

use asyncmcp_delivery::engine::jobs::{ActError, Page, Query, Shown};
use asyncmcp_delivery::engine::waiting::Reason;
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::Job;
use asyncmcp_delivery::state::{Category, Exec, Push, Stage};
use asyncmcp_delivery::store::scan::{Filter, Order};

use super::super::problem::Problem;
use super::super::{query, view, waiting};
use super::{Sources, Why, word};

/// Pages of headers that are read to find a `webhook-id`; each has 10,000.
const PAGES: usize = 10;

/// The answer about the job with this id or `webhook-id`.
pub(in crate::admin) async fn of_job(sources: Sources<'_>, text: &str) -> Result<Why, Problem> {
    let id = if text.starts_with("msg_") {
        by_webhook_id(sources, text).await?
    } else {
        query::of::<JobId>("job", text)?
    };
    let shown = sources.engine.show(id).await?.ok_or(ActError::Unknown)?;
    Ok(about(sources, &shown))
}

async fn by_webhook_id(sources: Sources<'_>, text: &str) -> Result<JobId, Problem> {
    let filter = Filter {
        webhook: Some(query::of("job", text)?),
        ..Filter::default()
    };
    let query = Query {
        filter,
        ..Query::default()
    };
    let mut after = None;
    for _ in 0..PAGES {
        let page = Page {
            order: Order::Newest,
            after,
            limit: 1,
        };
        let listing = sources.engine.list(&query, page).await?;
        if let Some(found) = listing.jobs.first() {
            return Ok(found.job.id);
        }
        after = listing.next;
        if after.is_none() {
            return Err(ActError::Unknown.into());
        }
    }
    let detail =
        "none of the newest 100,000 jobs has this webhook-id; `asyncmcp jobs show` searches all of them";
    Err(Problem::not_found(detail))
}

/// The answer about a job that was found.
pub(super) fn about(sources: Sources<'_>, shown: &Shown) -> Why {
    let job = &shown.listed.job;
    let target = shown.listed.call.as_ref().and_then(|call| call.target.as_ref());
    let last = shown.history.last().map(|(_, entry)| entry);
    let failed = last
        .and_then(|last| last.category.map(Category::as_str))
        .or(job.last.map(Category::as_str));
    let base = Why {
        job: Some(job.id.to_string()),
        receiver: target.map(|target| view::shown_url(&target.url)),
        status: last.and_then(|last| last.status),
        category: failed.filter(|_| job.state.push != Push::Delivered),
        ..Why::default()
    };
    match sources.engine.waiting_for(&shown.listed) {
        Some(found) => waits(
            base,
            (job, found.reason),
            found.until.map(|at| (sources.time(at), sources.said(at))),
        ),
        None => is(sources, base, job),
    }
}

/// It waits for something.
fn waits(base: Why, (job, reason): (&Job, Reason), until: Option<(String, String)>) -> Why {
    let what = if job.state.exec == Exec::Queued {
        "The call has not begun"
    } else if job.attempts > 0 {
        "The result is there, and was not delivered yet"
    } else {
        "The result is there, and no attempt to deliver it was made yet"
    };
    let failed = failed(&base);
    let waits_for = waiting::sentence(reason);
    let until = until.unzip();
    let time = until
        .1
        .map_or_else(String::new, |until| format!(", until {until}"));
    Why {
        reason: word(reason),
        sentence: format!("{what}{failed}; it waits{waits_for}{time}."),
        until: until.0,
        ..base
    }
}

/// How the last attempt failed, in brackets.
fn failed(why: &Why) -> String {
    match (why.category, why.status) {
        (Some(category), Some(status)) => format!(" (last attempt: {status}, {category})"),
        (Some(category), None) => format!(" (last attempt: {category})"),
        (None, _) => String::new(),
    }
}

/// It waits for nothing.
fn is(sources: Sources<'_>, base: Why, job: &Job) -> Why {
    let at = match job.state.stage() {
        Stage::Queued => job.accepted,
        Stage::Running => job.started.unwrap_or(job.accepted),
        _ => job.turn,
    };
    let said = sources.said(at);
    let category = base.category.unwrap_or("unknown");
    let last = failed(&base);
    let (reason, sentence) = match job.state.stage() {
        Stage::Queued => (
            "queued",
            format!("The call has waited for its execution since {said}."),
        ),
        Stage::Running => (
            "executing",
            format!("The call has run on its server since {said}; there is no result yet."),
        ),
        Stage::Due => (
            "turn",
            format!("The result is there, and is about to be delivered{last}."),
        ),
        Stage::Sending => (
            "sending",
            format!("An attempt to deliver it began at {said}{last}."),
        ),
        Stage::Delivered => ("delivered", delivered(&base, &said)),
        Stage::Dead => ("dead", dead(job, category, &said, &last)),
        Stage::Stopped => (
            "stopped",
            format!("An administrator stopped the delivery at {said}{last}; replay it to send it."),
        ),
        Stage::Ended => (
            "ended",
            format!("The call ended at {said}; it has no receiver, and its client polls for the result."),
        ),
    };
    Why {
        reason,
        sentence,
        at: Some(sources.time(at)),
        ..base
    }
}

fn delivered(base: &Why, said: &str) -> String {
    match base.status {
        Some(status) => format!("It was delivered at {said} with {status}."),
        None => format!("It was delivered at {said} by the first attempt, with a 2xx status."),
    }
}

fn dead(job: &Job, category: &str, said: &str, last: &str) -> String {
    match job.state.push {
        Push::Dead(Category::Blocked) => {
            format!("It is a dead letter since {said}: the egress policy refuses its receiver (blocked).")
        }
        Push::Dead(Category::Evicted) => {
            format!(
                "It is a dead letter since {said}; its result was deleted to make room in the store (evicted)."
            )
        }
        Push::Dead(Category::Expired) => {
            format!(
                "It is a dead letter since {said}: it was older than webhook.maxAge (expired){last}; replay it to send it."
            )
        }
        Push::Dead(why) => format!(
            "It is a dead letter since {said}: {}{last}; replay it to send it.",
            why.as_str()
        ),
        _ => format!("It is a dead letter since {said}: {category}{last}."),
    }
}
