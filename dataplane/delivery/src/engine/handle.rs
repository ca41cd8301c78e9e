//! Where an executor leaves what a new process takes a cut execution up by, and when that is committed.
//!
//! `execution` makes a pair for each one. A handle by which the server runs on without us is committed at
//! once. Any other waits until the execution is a second old, so that a quick call costs no commit, and
//! follows at most every five. Invariant: a handle is committed only while its execution runs.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Executions that are over sooner commit no handle, unless it is one to keep at once.
const SPARED: Duration = Duration::from_secs(1);
/// Between two commits of one execution's handles.
const SPACING: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Noted {
    handle: Option<Bytes>,
    at_once: bool,
}

/// Where an executor leaves the handles of one execution. Every clone is the same place.
#[derive(Clone, Debug)]
pub struct Handles(watch::Sender<Noted>);

/// The engine's end.
pub(super) struct Kept(watch::Receiver<Noted>);

/// A place for handles; it begins with the one that the execution was taken up by.
pub(super) fn place(handle: Option<Bytes>) -> (Handles, Kept) {
    let first = Noted {
        handle,
        at_once: false,
    };
    let (place, kept) = watch::channel(first);
    (Handles(place), Kept(kept))
}

impl Handles {
    /// A place that nobody looks at.
    pub fn nowhere() -> Self {
        place(None).0
    }

    /// Leaves a handle in place of the one before, to be committed before long.
    pub fn keep(&self, handle: Bytes) {
        self.0.send_modify(|noted| noted.handle = Some(handle));
    }

    /// Leaves a handle that must not be lost: from here on the server runs on without us.
    pub fn keep_at_once(&self, handle: Bytes) {
        self.0.send_replace(Noted {
            handle: Some(handle),
            at_once: true,
        });
    }

    /// The handle that was left last.
    pub fn last(&self) -> Option<Bytes> {
        self.0.borrow().handle.clone()
    }
}

impl Kept {
    /// Has each handle committed when that is due, until it is dropped.
    pub(super) async fn commit_each<F: Future>(mut self, mut commit: impl FnMut(Bytes) -> F) -> Infallible {
        let mut due = Instant::now() + SPARED;
        while self.0.changed().await.is_ok() {
            tokio::select! {
                biased;
                () = sleep_until(due) => {}
                _ = self.0.wait_for(|noted| noted.at_once) => {}
            }
            let handle = self.0.borrow_and_update().handle.clone();
            if let Some(handle) = handle {
                commit(handle).await;
            }
            due = Instant::now() + SPACING;
        }
        std::future::pending().await // the executor leaves no more
    }
}
