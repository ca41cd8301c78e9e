//! Resume tokens: what an executor leaves so that a new process can resume an interrupted execution, and when they are
//! committed.
//!
//! `execution` makes a pair for each one. A token with which the server runs on without us is committed at
//! once. Any other waits until the execution is a second old, so that a quick call costs no commit, and
//! follows at most every five. Invariant: a resume token is committed only while its execution runs.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Executions that are over sooner commit no resume token, unless it is one to keep at once.
const SPARED: Duration = Duration::from_secs(1);
/// Between two commits of one execution's resume tokens.
const SPACING: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Noted {
    token: Option<Bytes>,
    at_once: bool,
}

/// Where an executor leaves the resume tokens of one execution. Clones share it.
#[derive(Clone, Debug)]
pub struct ResumeTokens(watch::Sender<Noted>);

/// The engine's end.
pub(super) struct Kept(watch::Receiver<Noted>);

/// A place for resume tokens; it begins with the one that the execution was resumed with.
pub(super) fn place(token: Option<Bytes>) -> (ResumeTokens, Kept) {
    let first = Noted {
        token,
        at_once: false,
    };
    let (place, kept) = watch::channel(first);
    (ResumeTokens(place), Kept(kept))
}

impl ResumeTokens {
    /// A place from which nothing is read.
    pub fn nowhere() -> Self {
        place(None).0
    }

    /// Replaces the token; it is committed within a few seconds.
    pub fn keep(&self, token: Bytes) {
        self.0.send_modify(|noted| noted.token = Some(token));
    }

    /// Replaces the token with one that must not be lost: from now on the server continues without us.
    pub fn keep_at_once(&self, token: Bytes) {
        self.0.send_replace(Noted {
            token: Some(token),
            at_once: true,
        });
    }

    /// The resume token that was left last.
    pub fn last(&self) -> Option<Bytes> {
        self.0.borrow().token.clone()
    }
}

impl Kept {
    /// Has each resume token committed when that is due, until it is dropped.
    pub(super) async fn commit_each<F: Future>(mut self, mut commit: impl FnMut(Bytes) -> F) -> Infallible {
        let mut due = Instant::now() + SPARED;
        while self.0.changed().await.is_ok() {
            tokio::select! {
                biased;
                () = sleep_until(due) => {}
                _ = self.0.wait_for(|noted| noted.at_once) => {}
            }
            let token = self.0.borrow_and_update().token.clone();
            if let Some(token) = token {
                commit(token).await;
            }
            due = Instant::now() + SPACING;
        }
        std::future::pending().await // the executor leaves no more
    }
}
