//! One server, watched through a line of the gateway's own: visited until it answers, then
//! listed whenever its list may have changed.
//!
//! [`super::Catalogue`] runs one watch for each server. Invariant: one visit at a time, so a
//! list is never fetched twice at once, and a server that is away is asked ever less often.

use std::convert::Infallible as Never;
use std::sync::Arc;
use std::time::Duration;

use asyncmcp_protocol::Message;
use asyncmcp_protocol::listing::Kind;
use asyncmcp_protocol::offers::Offers;
use futures::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::directory::Fetched;
use super::fetch::{self, PATIENCE};
use super::state::Table;
use crate::servers::access::Access;
use crate::servers::lines::{self, Line};
use crate::servers::{Error, Events, Upstream};

/// A list is fetched again after this time even without a notification of a change.
const LIST_AGE: Duration = Duration::from_mins(5);
/// The same of a modern server that lets its list be kept for a shorter time, which reports no changes.
const LEAST_AGE: Duration = Duration::from_secs(5);
/// Between two pings.
const PING_EVERY: Duration = Duration::from_secs(5);
/// The same for the first pings after it came, so that its state settles soon.
const FIRST_PINGS: (u32, Duration) = (2, Duration::from_secs(1));
/// A server that changes its list often is listed once for all changes in this time.
const GATHER: Duration = Duration::from_millis(100);
/// The wait after the first failed visit.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Failed visits at about one a second, before they become rarer: a late server is seen in a second.
const EAGER: u32 = 30;
/// The longest wait between visits.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// By these a server notifies of a change.
const CHANGES: [&str; 3] = [
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
];

/// Watches one server.
pub(super) struct Watch {
    pub(super) upstream: Upstream,
    pub(super) table: Arc<Table>,
    /// Someone saw a tool that the table does not have.
    pub(super) list_again: Arc<Notify>,
}

/// How a visit ended.
enum Visit {
    /// Nobody wants to know any more.
    Ended,
    /// Requests are sent with other credentials or certificates from now on.
    Renewed,
    Failed(Error),
}

impl Watch {
    /// Until `ended`; the line is ended, too.
    pub(super) async fn run(self, ended: CancellationToken) {
        let mut failures = 0;
        let mut renewals = self.upstream.renewals();
        loop {
            match self.visit(&mut failures, &mut renewals, &ended).await {
                Visit::Ended => return,
                Visit::Renewed => failures = 0,
                Visit::Failed(error) => {
                    failures += 1;
                    tracing::debug!(server = self.upstream.name(), %error, "a server does not answer");
                    self.table.failed(self.upstream.name(), &error);
                    let waited = tokio::time::timeout(wait(failures), renewals.changed());
                    if let Some(Ok(_)) = ended.run_until_cancelled(waited).await {
                        failures = 0;
                    }
                }
            }
        }
    }

    /// Stays connected until something fails or changes.
    async fn visit(
        &self,
        failures: &mut u32,
        renewals: &mut watch::Receiver<Arc<Access>>,
        ended: &CancellationToken,
    ) -> Visit {
        let line = lines::visiting(&self.upstream);
        let visit = tokio::select! {
            Err(error) = self.stay(&line, failures) => Visit::Failed(error),
            _ = renewals.changed() => Visit::Renewed,
            () = ended.cancelled() => Visit::Ended,
        };
        if !matches!(visit, Visit::Failed(Error::SessionLost)) {
            let _ = tokio::time::timeout(PING_EVERY, line.end()).await;
        }
        visit
    }

    /// Fetches all lists; returns when to fetch them again. Only that of the tools must succeed.
    async fn list(&self, line: &Line) -> Result<Instant, Error> {
        let about = line.about().await?;
        let tools = fetch::all(line, Kind::Tools).await?;
        let (offers, mut ttl) = (about.offers, tools.ttl);
        self.table.listed(line.server(), about, tools);
        let others = others(line, offers).await;
        let listed = others.iter().filter_map(|(_, list)| list.as_ref().ok());
        ttl = listed.filter_map(|list| list.ttl).chain(ttl).min();
        self.table.listed_others(line.server(), offers, others);
        let age = ttl.map_or(LIST_AGE, |ttl| ttl.clamp(LEAST_AGE, LIST_AGE));
        Ok(Instant::now() + age)
    }

    /// Lists, lists again when notified, and pings from time to time.
    async fn stay(&self, line: &Line, failures: &mut u32) -> Result<Never, Error> {
        let mut list_at = self.list(line).await?;
        *failures = 0;
        let mut events = line.listen().await?;
        let mut pings = 0;
        let mut ping_at = Instant::now() + FIRST_PINGS.1;
        loop {
            tokio::select! {
                changed = list_changed(&mut events) => {
                    changed?;
                    list_at = list_at.min(Instant::now() + GATHER);
                }
                () = self.list_again.notified() => list_at = list_at.min(Instant::now() + GATHER),
                () = sleep_until(list_at) => {
                    list_at = self.list(line).await?;
                }
                () = sleep_until(ping_at) => {
                    line.ping().await?;
                    self.table.answered(line.server());
                    pings += 1;
                    ping_at = Instant::now() + if pings < FIRST_PINGS.0 { FIRST_PINGS.1 } else { PING_EVERY };
                }
            }
        }
    }
}

/// What the server lists beside tools.
async fn others(line: &Line, offers: Offers) -> Vec<Fetched> {
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Tools);
    let fetching = kinds.map(async |kind| {
        if !offers.lists(kind) {
            return None;
        }
        let list = tokio::time::timeout(PATIENCE, fetch::all(line, kind)).await;
        Some((kind, list.unwrap_or(Err(Error::Silent(PATIENCE)))))
    });
    join_all(fetching).await.into_iter().flatten().collect()
}

/// Returns when the server reports that its list changed; never where it offers no stream.
async fn list_changed(events: &mut Option<Events>) -> Result<(), Error> {
    let Some(stream) = events else {
        return std::future::pending().await;
    };
    while let Some(incoming) = stream.next().await {
        match incoming?.message {
            Message::Notification(note) if CHANGES.contains(&note.method.as_str()) => return Ok(()),
            Message::Request(request) => stream.decline(&request),
            _ => {}
        }
    }
    Err(Error::Interrupted)
}

/// The wait after this many failed visits in a row.
fn wait(failures: u32) -> Duration {
    match failures {
        0..=2 => FIRST_WAIT * 2u32.pow(failures.saturating_sub(1)),
        3..=EAGER => 4 * FIRST_WAIT,
        _ => (4 * FIRST_WAIT * 2u32.pow((failures - EAGER).min(5))).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_server_is_seen_within_a_second_and_a_dead_one_is_left_alone() {
        let waits: Vec<_> = (1..=40).map(|failures| wait(failures).as_millis()).collect();
        assert_eq!(waits[..4], [250, 500, 1000, 1000]);
        assert_eq!(waits[29..36], [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert!(waits.is_sorted());
    }
}
