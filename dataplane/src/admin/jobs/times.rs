//! The store's times as people see them, and people's times as the store knows them.
//!
//! Every handler of the jobs API shows jobs and reads filters through this. Invariant: whatever the store's clock reads,
//! the API knows wall time only.

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::jobs::{Listed, Query, Shown};
use asyncmcp_delivery::history::Entry;

/// A job as it is shown.
pub(crate) fn listed(clock: &Clock, mut listed: Listed) -> Listed {
    let job = &mut listed.job;
    for at in [&mut job.accepted, &mut job.turn] {
        *at = clock.shown(*at);
    }
    for at in [&mut job.started, &mut job.ended] {
        *at = at.map(|at| clock.shown(at));
    }
    listed
}

/// A job and its attempts as they are shown.
pub(crate) fn shown(clock: &Clock, shown: Shown) -> Shown {
    let entry = |entry: Entry| Entry {
        started: clock.shown(entry.started),
        next: entry.next.map(|at| clock.shown(at)),
        ..entry
    };
    let history = shown.history.into_iter();
    Shown {
        listed: listed(clock, shown.listed),
        history: history
            .map(|(number, attempt)| (number, entry(attempt)))
            .collect(),
    }
}

/// What is asked for, in the store's times.
pub(crate) fn stored(clock: &Clock, mut query: Query) -> Query {
    let filter = &mut query.filter;
    filter.since = filter.since.map(|since| clock.since(since));
    filter.until = filter.until.map(|until| clock.until(until));
    query
}
