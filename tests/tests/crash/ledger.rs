//! What the clients of the load test know: which calls they made, and what was acknowledged.
//!
//! Invariant: a call is entered before it is sent.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use asyncmcp_delivery::id::JobId;
use asyncmcp_tests::receiver::Post;
use asyncmcp_tests::session::Reply;
use tokio::sync::Notify;

/// Calls of one path that may be under way at once: the load goes with what the machine can do.
const WINDOW: usize = 128;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Where its outcome is to be delivered.
    pub(crate) path: String,
    /// Its JSON-RPC id; of one session, where the path is one session's.
    pub(crate) id: u64,
    /// Its execution's name in the server's journal.
    pub(crate) key: String,
    /// Whether the route lets it run again.
    pub(crate) again: bool,
    /// How it has to end.
    pub(crate) ends: Ends,
    /// How it was acknowledged.
    pub(crate) acknowledged: Option<Acknowledgement>,
}

/// How a call has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// With a result; as unknown if the process died, or its proxy lied.
    Usual,
    /// As unknown: it ran, and a proxy answered in place of its server.
    Unknown,
    /// As an error: its arguments were lost before it ran.
    Damaged,
}

/// What a client reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    /// 202 and no more.
    Accepted,
    /// The job's id, and so its webhook's.
    Job { webhook_id: String },
}

impl Acknowledgement {
    pub(crate) fn of(reply: &Reply) -> Result<Self> {
        let Some(job) = reply.job() else {
            return Ok(Self::Accepted);
        };
        let job: JobId = job.parse()?;
        Ok(Self::Job {
            webhook_id: job.webhook_id(),
        })
    }
}

impl Lane {
    fn under_way(&self) -> usize {
        self.entered.saturating_sub(self.delivered.len())
    }
}

/// All calls, and how many are under way.
#[derive(Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
    changed: Notify,
}

#[derive(Default)]
struct Pages {
    calls: Vec<Call>,
    acknowledged: usize,
    lanes: HashMap<String, Lane>,
}

#[derive(Default)]
struct Lane {
    entered: usize,
    delivered: HashSet<String>,
}

impl Ledger {
    /// Enters a call that is about to be sent; its number.
    pub(crate) fn enter(&self, call: Call) -> usize {
        let mut pages = self.pages();
        pages.lanes.entry(call.path.clone()).or_default().entered += 1;
        pages.calls.push(call);
        pages.calls.len() - 1
    }

    pub(crate) fn acknowledge(&self, number: usize, how: Acknowledgement) {
        let mut pages = self.pages();
        pages.calls[number].acknowledged = Some(how);
        pages.acknowledged += 1;
    }

    /// How many calls were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.pages().acknowledged
    }

    /// Notes that a receiver is about to answer 2xx.
    pub(crate) fn deliver(&self, post: &Post) {
        let mut pages = self.pages();
        let lane = pages.lanes.entry(post.path.clone()).or_default();
        lane.delivered.insert(post.webhook_id().to_owned());
        self.changed.notify_waiters();
    }

    /// Returns when another call may be made.
    pub(crate) async fn room(&self, path: &str) {
        self.until(|pages| pages.lanes.get(path).is_none_or(|lane| lane.under_way() < WINDOW))
            .await;
    }

    /// Returns when every call has its delivery.
    pub(crate) async fn all_delivered(&self) {
        self.until(|pages| pages.lanes.values().all(|lane| lane.under_way() == 0))
            .await;
    }

    async fn until(&self, holds: impl Fn(&Pages) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.pages()) {
                return;
            }
            changed.await;
        }
    }

    /// Everything that was entered.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.pages().calls.clone()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
