//! One server, watched through the gateway's own session: visited until it answers, then
//! listed whenever its list may have changed.
//!
//! [`super::Catalogue`] runs one watch for each server. Invariant: one visit at a time, so a
//! list is never fetched twice at once, and a server that is away is asked ever less often.

use std::convert::Infallible as Never;
use std::sync::Arc;
use std::time::Duration;

use asyncmcp_protocol::Message;
use asyncmcp_protocol::initialize::ClientCapabilities;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::fetch;
use super::state::Table;
use crate::upstream::{Error, Events, Identity, ServerSession, Upstream};

/// A list is fetched anew after so long even if nobody said that it changed.
const LIST_AGE: Duration = Duration::from_mins(5);
/// Between two looks at whether the server is there.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same for the first looks after it came, so that its state settles soon.
const FIRST_LOOKS: (u32, Duration) = (2, Duration::from_secs(1));
/// A server that changes its list often is listed once for all changes in this time.
const GATHER: Duration = Duration::from_millis(100);
/// The wait after the first failed visit.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Failed visits at about one a second, before they become rarer: a late server is seen in a second.
const EAGER: u32 = 30;
/// The longest wait between visits.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Watches one server.
pub(super) struct Watch {
    pub(super) upstream: Upstream,
    pub(super) table: Arc<Table>,
    /// Someone saw a tool that the table does not know.
    pub(super) look_again: Arc<Notify>,
}

impl Watch {
    /// Until `ended`; the server's session is ended, too.
    pub(super) async fn run(self, ended: CancellationToken) {
        let mut failures = 0;
        while let Some(Err(error)) = self.visit(&mut failures, &ended).await {
            failures += 1;
            tracing::debug!(server = self.upstream.name(), %error, "a server does not answer");
            self.table.failed(self.upstream.name(), &error);
            ended.run_until_cancelled(sleep(wait(failures))).await;
        }
    }

    /// Opens a session and stays with it until it fails; `None` when ended.
    async fn visit(&self, failures: &mut u32, ended: &CancellationToken) -> Option<Result<Never, Error>> {
        // Everything is declared, since a server may show a poorer client less.
        let gateway = Identity::gateway(ClientCapabilities::from_bits(u16::MAX));
        let session = match ended.run_until_cancelled(self.upstream.open(&gateway)).await? {
            Ok(session) => session,
            Err(error) => return Some(Err(error)),
        };
        let stayed = ended.run_until_cancelled(self.stay(&session, failures)).await;
        if !matches!(stayed, Some(Err(Error::SessionLost))) {
            let _ = tokio::time::timeout(LOOK_EVERY, session.end()).await;
        }
        stayed
    }

    async fn list(&self, session: &ServerSession) -> Result<(), Error> {
        let tools = fetch::tools(session).await?;
        self.table.listed(session, &tools);
        Ok(())
    }

    /// Lists, lists again when told to, and looks from time to time.
    async fn stay(&self, session: &ServerSession, failures: &mut u32) -> Result<Never, Error> {
        self.list(session).await?;
        *failures = 0;
        let mut events = session.listen().await?;
        let mut list_at = Instant::now() + LIST_AGE;
        let mut looks = 0;
        let mut look_at = Instant::now() + FIRST_LOOKS.1;
        loop {
            tokio::select! {
                changed = list_changed(&mut events, session) => {
                    changed?;
                    list_at = list_at.min(Instant::now() + GATHER);
                }
                () = self.look_again.notified() => list_at = list_at.min(Instant::now() + GATHER),
                () = sleep_until(list_at) => {
                    self.list(session).await?;
                    list_at = Instant::now() + LIST_AGE;
                }
                () = sleep_until(look_at) => {
                    session.ask("ping", None).await?; // an error is an answer, too
                    self.table.answered(session.server());
                    looks += 1;
                    look_at = Instant::now() + if looks < FIRST_LOOKS.0 { FIRST_LOOKS.1 } else { LOOK_EVERY };
                }
            }
        }
    }
}

/// Returns when the server says that its list changed; never where it offers no stream.
async fn list_changed(events: &mut Option<Events>, session: &ServerSession) -> Result<(), Error> {
    let Some(stream) = events else {
        return std::future::pending().await;
    };
    while let Some(incoming) = stream.next().await {
        match incoming?.message {
            Message::Notification(told) if told.method == "notifications/tools/list_changed" => return Ok(()),
            Message::Request(request) => session.decline(&request),
            _ => {}
        }
    }
    Err(Error::Interrupted)
}

/// The wait after so many failed visits in a row.
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
