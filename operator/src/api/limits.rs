//! A deadline for every request to the API server, and for every pause within an answer. A layer of the client that `api`
//! makes.
//!
//! Invariant: a request ends, with an answer or with an error, within its limits, whatever the network does. A watch is
//! given up by its watcher before that.

use super::WATCH_SECONDS;
use super::hearing::{Hearing, Watch};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::Service;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long an answer may take to begin. An admission webhook may take 30 s.
const ANSWER: Duration = Duration::from_secs(35);
/// How long the first bytes of a watch or of a list may take: no webhook is asked.
const READ: Duration = Duration::from_secs(15);
/// The longest pause within an answer.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause within a watch.
const WATCH_PAUSE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);

/// The API server did not answer, or stopped in the middle of its answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the API server within {} s", .0.as_secs())]
struct Silent(Duration);

/// The client's service with deadlines.
#[derive(Clone, Debug)]
pub(crate) struct Limits<S> {
    service: S,
    hearing: Hearing,
}

impl<S> Limits<S> {
    pub(crate) fn new(service: S, hearing: Hearing) -> Self {
        Self { service, hearing }
    }
}

impl<S, R, B> Service<Request<R>> for Limits<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + 'static,
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Limited<B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.service.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let hearing = self.hearing.clone();
        let watch = Watch::of(request.method(), request.uri());
        if let Some(watch) = &watch {
            hearing.asked(watch);
        }
        let limit = if watch.is_some() { READ } else { ANSWER };
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = timeout(limit, answer).await.map_err(|_| Silent(limit))?;
            let response = answer.map_err(Into::into)?;
            hearing.answered(watch.as_ref(), response.status().is_success());
            let pause = if watch.as_ref().is_some_and(|watch| watch.is_open) {
                WATCH_PAUSE
            } else {
                PAUSE
            };
            Ok(response.map(|body| Limited::new(body, pause, hearing, watch)))
        })
    }
}

/// The body of an answer, with a limit for each pause.
pub(crate) struct Limited<B> {
    body: Pin<Box<B>>,
    pause: Duration,
    end: Pin<Box<Sleep>>,
    hearing: Hearing,
    watch: Option<Watch>,
}

impl<B> Limited<B> {
    fn new(body: B, pause: Duration, hearing: Hearing, watch: Option<Watch>) -> Self {
        Self {
            body: Box::pin(body),
            pause,
            end: Box::pin(sleep(pause)),
            hearing,
            watch,
        }
    }
}

impl<B> Body for Limited<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.body.as_mut().poll_frame(context) {
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(frame) => {
                self.hearing.answered(self.watch.as_ref(), true);
                let next = Instant::now() + self.pause;
                self.end.as_mut().reset(next);
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let silent = Silent(self.pause);
                self.end.as_mut().poll(context).map(|()| Some(Err(silent.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
