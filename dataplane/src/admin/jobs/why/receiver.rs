//! Why nothing has arrived at one receiver.
//!
//! What forbids every attempt comes first, then what holds them up, then what is due, then what became of the newest job.
//! Invariant: of two answers that are both true, the one that a person can do something about is given.

use std::sync::Arc;

use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::engine::Known;
use asyncmcp_delivery::engine::jobs::{Listed, Page, Query};
use asyncmcp_delivery::engine::waiting::{Reason, Waiting};
use asyncmcp_delivery::job::{Key, Receiver};
use asyncmcp_delivery::store::scan::{Filter, Order};
use asyncmcp_delivery::verdict::Verdict;
use url::Url;

use super::super::problem::Problem;
use super::super::receivers::{self, ReceiverState};
use super::super::{view, waiting};
use super::{Sources, Why, job, word};

/// Jobs of the same host that are compared to find a URL's query.
const COMPARED: usize = 50;

/// A receiver that is asked about.
struct Found {
    receiver: Receiver,
    /// Its whole URL, where it is known.
    url: Option<String>,
    named_by: NamedBy,
}

/// The answer about the receiver with this URL or id.
pub(in crate::admin) async fn of_receiver(sources: Sources<'_>, text: &str) -> Result<Why, Problem> {
    let found = find(sources, text).await?;
    let known = sources.engine.known_receiver(found.receiver).await?;
    let target = known.target.as_ref();
    let url = target.map(|target| target.url.clone()).or(found.url);
    let named_by = target.map_or(found.named_by, |target| target.named_by);
    let base = Why {
        receiver: url.as_deref().map(view::shown_url),
        status: known.last.as_ref().and_then(|last| last.status),
        category: known
            .last
            .as_ref()
            .and_then(|last| receivers::category(last.verdict)),
        ..Why::default()
    };
    if let Some(refusal) = url.and_then(|url| sources.engine.refusal(named_by, &url)) {
        let sentence = format!("Nothing is sent to it: {refusal}.");
        return Ok(Why {
            reason: "refused",
            sentence,
            ..base
        });
    }
    if let Some(why) = held_up(sources, &known, &base).or_else(|| at_work(sources, &known, &base)) {
        return Ok(why);
    }
    newest(sources, &known, base).await
}

/// What keeps it from getting attempts.
fn held_up(sources: Sources<'_>, known: &Known, base: &Why) -> Option<Why> {
    let (state, until) = receivers::state(known);
    let said = until
        .map(|until| format!(" until {}", sources.said(until)))
        .unwrap_or_default();
    let last = last(sources, known);
    let due = due(known);
    let (reason, sentence) = match (state, known.waiting) {
        (_, Some(Waiting { reason, .. })) if concerns_all(reason) => (
            word(reason),
            format!("Deliveries wait{}; {due}.", waiting::sentence(reason)),
        ),
        (ReceiverState::Disabled, _) => (
            "disabled",
            format!(
                "It asked for no more deliveries (webhook-delivery: disable) and gets none{said}; {due}."
            ),
        ),
        (ReceiverState::BreakerOpen, _) => (
            "breaker",
            format!(
                "Its circuit breaker is open{said}, because most of its recent attempts failed{last}; {due}."
            ),
        ),
        (ReceiverState::Paused, _) => (
            "paused",
            format!("It asked for a pause (Retry-After){said}{last}; {due}."),
        ),
        (ReceiverState::Waiting, Some(Waiting { reason, .. })) if known.due > 0 => (
            word(reason),
            format!("Deliveries wait{}{said}; {due}.", waiting::sentence(reason)),
        ),
        _ => return None,
    };
    Some(Why {
        reason,
        sentence,
        until: until.map(|until| sources.time(until)),
        ..base.clone()
    })
}

/// Whether every receiver waits for it.
fn concerns_all(reason: Reason) -> bool {
    matches!(reason, Reason::ShuttingDown | Reason::SigningKey | Reason::Header)
}

/// What is in progress, or comes next.
fn at_work(sources: Sources<'_>, known: &Known, base: &Why) -> Option<Why> {
    let last = last(sources, known);
    if known.in_flight > 0 {
        let sentence = format!("An attempt is in progress{last}; {}.", due(known));
        return Some(Why {
            reason: "sending",
            sentence,
            ..base.clone()
        });
    }
    let next = known.next.filter(|_| known.due > 0)?;
    let sentence = format!(
        "The next attempt is due at {}{last}; {}.",
        sources.said(next),
        due(known)
    );
    Some(Why {
        reason: "retry",
        sentence,
        until: Some(sources.time(next)),
        ..base.clone()
    })
}

/// How the last attempt failed, in brackets.
fn last(sources: Sources<'_>, known: &Known) -> String {
    let Some(last) = known
        .last
        .as_ref()
        .filter(|last| last.verdict != Verdict::Delivered)
    else {
        return String::new();
    };
    let category = receivers::category(last.verdict).unwrap_or_default();
    let at = sources.said(last.at);
    match last.status {
        Some(status) => format!(" (last attempt at {at}: {status}, {category})"),
        None => format!(" (last attempt at {at}: {category})"),
    }
}

fn due(known: &Known) -> String {
    match known.due {
        0 => "nothing is due".to_owned(),
        1 => "1 delivery is due".to_owned(),
        due if due >= asyncmcp_delivery::engine::DUE_COUNTED => format!("{due} deliveries or more are due"),
        due => format!("{due} deliveries are due"),
    }
}

/// Nothing is due: what became of its newest job.
async fn newest(sources: Sources<'_>, known: &Known, base: Why) -> Result<Why, Problem> {
    let query = Query {
        filter: Filter {
            receiver: Some(known.receiver),
            ..Filter::default()
        },
        ..Query::default()
    };
    let listing = sources.engine.list(&query, newest_first(1)).await?;
    let Some(Listed { job, .. }) = listing.jobs.into_iter().next() else {
        return Ok(Why {
            reason: "nothing_due",
            sentence: none(listing.next.is_some()),
            ..base
        });
    };
    let Some(shown) = sources.engine.show(job.id).await? else {
        return Ok(Why {
            reason: "nothing_due",
            sentence: none(false),
            ..base
        });
    };
    let why = job::about(sources, &shown);
    let status = why.status.or(base.status.filter(|_| why.reason == "delivered"));
    let sentence = match (why.reason, status) {
        ("delivered", Some(status)) if why.status.is_none() => {
            format!(
                "Nothing is due for it; its newest result was delivered at {} with {status}.",
                sources.said(job.turn)
            )
        }
        ("delivered", _) => format!(
            "Nothing is due for it; its newest result is there. {}",
            why.sentence
        ),
        _ => format!("Nothing is due for it yet. Its newest job: {}", why.sentence),
    };
    Ok(Why {
        sentence,
        status,
        receiver: why.receiver.or(base.receiver),
        ..why
    })
}

fn none(is_cut: bool) -> String {
    if is_cut {
        "Nothing is due for it, and none of the newest 10,000 jobs is for it.".to_owned()
    } else {
        "Nothing is due for it, and no job that is kept is for it: no call named it, or its jobs were removed after \
         webhook.resultRetention."
            .to_owned()
    }
}

fn newest_first(limit: usize) -> Page {
    Page {
        order: Order::Newest,
        after: None,
        limit,
    }
}

/// The receiver with this URL or id. A URL without its query is that of a receiver that is known by it.
async fn find(sources: Sources<'_>, text: &str) -> Result<Found, Problem> {
    if let Some(receiver) = of_id(text) {
        return Ok(Found {
            receiver,
            url: None,
            named_by: NamedBy::Call,
        });
    }
    let url = Url::parse(text)
        .ok()
        .filter(Url::has_host)
        .filter(|_| text.len() <= 2048);
    let Some(url) = url else {
        let fix = "must be an absolute URL of at most 2048 bytes, or the id of a receiver";
        return Err(Problem::field("receiver", fix));
    };
    if url.query().is_none()
        && let Some(found) = by_shown_url(sources, &url).await?
    {
        return Ok(found);
    }
    let config = Arc::clone(&sources.live.borrow());
    let default = config.route.webhook.receivers.default.as_ref();
    let is_default = default.is_some_and(|default| default.url == text);
    Ok(Found {
        receiver: Receiver::of(text),
        url: Some(text.to_owned()),
        named_by: if is_default {
            NamedBy::Default
        } else {
            NamedBy::Call
        },
    })
}

fn of_id(text: &str) -> Option<Receiver> {
    let is_id = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(text, 16).ok().filter(|_| is_id)?;
    let key = |number: u64| Key(number.to_be_bytes());
    let low = u64::try_from(number & u128::from(u64::MAX)).ok()?;
    Some(Receiver {
        origin: key(u64::try_from(number >> 64).ok()?),
        url: key(low),
    })
}

/// The receiver that is shown under this URL: among those that are known, else among the newest jobs of the host.
async fn by_shown_url(sources: Sources<'_>, url: &Url) -> Result<Option<Found>, Problem> {
    let shown = view::shown_url(url.as_str());
    let known = sources.engine.known_receivers().await?.receivers.into_iter();
    let of_known = known.filter_map(|known| known.target);
    let query = Query {
        host: url.host_str().map(str::to_owned),
        ..Query::default()
    };
    let listing = sources.engine.list(&query, newest_first(COMPARED)).await?;
    let of_jobs = listing.jobs.into_iter();
    let of_jobs = of_jobs.filter_map(|listed| listed.call.and_then(|call| call.target));
    let found = of_known
        .chain(of_jobs)
        .find(|target| view::shown_url(&target.url) == shown);
    Ok(found.map(|target| Found {
        receiver: target.receiver(),
        named_by: target.named_by,
        url: Some(target.url),
    }))
}
