//! What becomes of the sessions with servers of callers that do not use them any more: they are ended.
//!
//! [`super::Lines`] has one queue. A client that goes away seldom says so, and its servers would keep what they opened for
//! it until they restart. Invariant: an entry that somebody uses, or listens to, is not ended.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::Inner;
use super::entry::{Entry, lock};
use crate::caller::Scope;
use crate::servers::ServerSession;

/// What is unused for this long is ended: a person may read an answer for a while, and their next question should find
/// what a server keeps in the session.
const IDLE: Duration = Duration::from_mins(30);
/// How often that is checked.
const CHECK_EVERY: Duration = Duration::from_mins(1);
/// How many entries are being ended at once; each takes as long as its slowest server.
const AT_ONCE: usize = 16;
/// How many wait for that. What finds no place is forgotten, and expires at its servers.
const WAITING: usize = 1024;

pub(super) type Entries = HashMap<Option<Scope>, Arc<Entry>>;

/// Takes what is to be ended. Cheap to clone.
#[derive(Clone)]
pub(super) struct Unused(mpsc::Sender<Ending>);

/// An entry that is out of reach, and what it had open.
type Ending = (Arc<Entry>, Vec<ServerSession>);

impl Unused {
    /// Must be called within a runtime: a task ends what comes, for as long as there are clones.
    pub(super) fn start() -> Self {
        let (sender, entries) = mpsc::channel::<Ending>(WAITING);
        let entries = ReceiverStream::new(entries);
        tokio::spawn(
            entries.for_each_concurrent(
                AT_ONCE,
                |(entry, sessions)| async move { entry.end(sessions).await },
            ),
        );
        Self(sender)
    }

    fn end(&self, entries: impl IntoIterator<Item = Arc<Entry>>) {
        for entry in entries {
            let sessions = entry.take();
            if !sessions.is_empty() && self.0.try_send((entry, sessions)).is_err() {
                tracing::debug!("too many unused sessions with servers: some are forgotten, not ended");
            }
        }
    }

    /// Ends what was not used longest, until at most `most` entries and as many sessions are left, and some fewer, so
    /// that not every new caller costs a search.
    pub(super) fn make_room(&self, entries: &mut Entries, sessions: usize, most: usize) {
        if entries.len().max(sessions) < most {
            return;
        }
        let over = entries.len().max(sessions) - most + most / 16 + 1;
        let mut unused: Vec<_> = entries
            .iter()
            .filter(|(_, entry)| is_unused(entry))
            .map(|(scope, entry)| (entry.used(), *scope, entry.weight()))
            .collect();
        unused.sort_unstable_by_key(|(used, ..)| *used);
        let mut gone = 0;
        for (_, scope, weight) in unused {
            if gone >= over {
                break;
            }
            gone += weight;
            self.end(entries.remove(&scope));
        }
    }
}

/// Nobody holds a line of it, and nobody listens. Under the lock of the entries nobody can begin to.
fn is_unused(entry: &Arc<Entry>) -> bool {
    Arc::strong_count(entry) == 1 && !entry.is_heard()
}

/// Ends what is idle, for as long as there are lines.
pub(super) async fn end_idle(lines: Weak<Inner>) {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        let Some(lines) = lines.upgrade() else {
            return;
        };
        let then = Instant::now().checked_sub(IDLE);
        let idle = |entry: &Arc<Entry>| is_unused(entry) && then.is_some_and(|then| entry.used() < then);
        let mut entries = lock(&lines.entries);
        let gone: Vec<_> = entries.extract_if(|_, entry| idle(entry)).collect();
        drop(entries);
        lines.unused.end(gone.into_iter().map(|(_, entry)| entry));
    }
}
