//! Scripted receivers, one script per URL. They are behind no socket, unlike `asyncmcp_fakes::receiver`, so that a
//! paused clock rules them.
//!
//! Invariant: every attempt is written down before it is answered.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::world::START;
use crate::id::JobId;
use crate::job::Trace;
use crate::sender::{Attempt, Post, Sender};
use crate::verdict::{self, Verdict};

/// What a receiver does with one attempt.
#[derive(Clone, Copy)]
pub(super) struct Reply {
    pub(super) verdict: Verdict,
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
    pub(super) takes: Duration,
}

impl Reply {
    /// Answers with `status` at once.
    pub(super) fn status(status: u16) -> Self {
        Self {
            verdict: verdict::of_status(http::StatusCode::from_u16(status).unwrap()),
            status: Some(status),
            retry_after: None,
            takes: Duration::ZERO,
        }
    }

    /// Ends with `verdict` without an answer.
    pub(super) fn none(verdict: Verdict) -> Self {
        Self {
            verdict,
            status: None,
            ..Self::status(200)
        }
    }

    pub(super) fn after(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    pub(super) fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }
}

/// An attempt as a receiver saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) job: JobId,
    pub(super) url: String,
    pub(super) attempt: u32,
    pub(super) replays: u32,
    pub(super) body: Bytes,
    pub(super) trace: Trace,
    /// Since the start of the test.
    pub(super) at: Duration,
}

/// Scripted receivers; without a script they answer 200. The last line of a script is repeated.
#[derive(Default)]
pub(super) struct Receivers {
    scripts: Mutex<HashMap<String, VecDeque<Reply>>>,
    seen: Mutex<Vec<Seen>>,
    busy: Mutex<HashMap<String, (usize, usize)>>,
}

impl Receivers {
    pub(super) fn script(&self, url: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.scripts.lock().unwrap().insert(url.to_owned(), replies);
    }

    /// Every attempt so far, in order.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Most attempts that were in progress at once towards `url`.
    pub(super) fn peak(&self, url: &str) -> usize {
        self.busy.lock().unwrap().get(url).map_or(0, |(_, peak)| *peak)
    }

    fn reply(&self, url: &str) -> Reply {
        let mut scripts = self.scripts.lock().unwrap();
        let Some(script) = scripts.get_mut(url) else {
            return Reply::status(200);
        };
        let last = script.len() == 1;
        if last {
            script[0]
        } else {
            script.pop_front().unwrap()
        }
    }

    fn occupy(&self, url: &str, by: isize) {
        let mut busy = self.busy.lock().unwrap();
        let (now, peak) = busy.entry(url.to_owned()).or_default();
        *now = now.checked_add_signed(by).unwrap();
        *peak = (*peak).max(*now);
    }
}

#[async_trait]
impl Sender for Receivers {
    async fn send(&self, post: Post<'_>) -> Attempt {
        let url = post.target.url.clone();
        let reply = self.reply(&url);
        self.seen.lock().unwrap().push(Seen {
            job: post.job.id,
            url: url.clone(),
            attempt: post.job.attempts,
            replays: post.job.replays,
            body: post.body.clone(),
            trace: post.trace.clone(),
            at: post.at.since(START),
        });
        self.occupy(&url, 1);
        tokio::time::sleep(reply.takes).await;
        self.occupy(&url, -1);
        Attempt {
            status: reply.status,
            verdict: reply.verdict,
            retry_after: reply.retry_after,
            disables: false,
            duration: reply.takes,
        }
    }
}
