//! Whether a connection has requests in progress.
//!
//! `connection` counts them. Invariant: a request is in progress from its head until the last byte of its answer's body.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// How often the idle time is checked within itself.
const PARTS: u32 = 4;

/// The requests of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    in_progress: AtomicUsize,
}

/// One request; it is over when this is dropped.
#[derive(Debug)]
pub(super) struct InProgress(Arc<Counts>);

/// An answer's body, and the request that it belongs to.
pub(super) struct Answer {
    body: Body,
    _request: InProgress,
}

impl Activity {
    pub(super) fn begin(&self) -> InProgress {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.in_progress.fetch_add(1, Ordering::Relaxed);
        InProgress(Arc::clone(&self.0))
    }

    /// Returns when no request has been in progress for `time`, or for up to a quarter more. It samples, so that
    /// a request costs no timer.
    pub(super) async fn idle_for(&self, time: Duration) {
        let (mut parts, mut seen) = (0, None);
        while parts < PARTS {
            tokio::time::sleep(time / PARTS).await;
            let begun = self.0.begun.load(Ordering::Relaxed);
            let is_idle = self.0.in_progress.load(Ordering::Relaxed) == 0 && seen == Some(begun);
            parts = if is_idle { parts + 1 } else { 0 };
            seen = Some(begun);
        }
    }
}

impl InProgress {
    pub(super) fn until_sent(self, body: Body) -> Answer {
        Answer { body, _request: self }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const TIME: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_once_its_last_answer_is_sent() {
        let (activity, start) = (Activity::default(), Instant::now());
        let answer = activity.begin().until_sent(Body::empty());
        let busy = async {
            sleep(TIME * 5).await;
            drop(answer);
            sleep(TIME / 2).await;
            drop(activity.begin());
        };
        tokio::join!(busy, activity.idle_for(TIME));
        let idle = start.elapsed().saturating_sub(TIME * 11 / 2);
        assert!((TIME..=TIME * 3 / 2).contains(&idle), "{idle:?}");
    }
}
