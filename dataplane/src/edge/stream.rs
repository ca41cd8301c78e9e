//! Answers as HTTP: one JSON body, nothing, or an event stream, which GET answers with too.
//!
//! Called by the eras and by [`super::get`]. Invariant: a stream is never quiet for longer than [`KEEP_ALIVE`], and
//! proxies are asked not to buffer it.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use asyncmcp_protocol::sse;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use tokio::sync::mpsc;

use super::accept::Kinds;
use crate::caller::answer::Answer;
use crate::caller::operation::{Metrics, OpenStream};
use crate::caller::respond;

/// How long a stream may be quiet.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The HTTP response that `answer` is, to a client that takes these kinds.
pub(super) fn http(answer: Answer, kinds: Kinds, metrics: &Metrics) -> Response {
    match answer {
        Answer::Accepted => StatusCode::ACCEPTED.into_response(),
        Answer::Refused(error) => error.answer(None),
        Answer::Json(body) if kinds.json => respond::json(body),
        Answer::Json(body) => stream(futures::stream::once(ready(body)), metrics.stream()),
        Answer::Stream(messages) => stream(received(messages), metrics.stream()),
    }
}

pub(super) fn received(messages: mpsc::Receiver<Bytes>) -> impl Stream<Item = Bytes> {
    futures::stream::unfold(messages, |mut messages| async {
        messages.recv().await.map(|message| (message, messages))
    })
}

/// An event stream of `messages`, with a comment wherever they pause.
pub(super) fn stream(messages: impl Stream<Item = Bytes> + Send + 'static, open: OpenStream) -> Response {
    let state = (Box::pin(messages), open);
    let events = futures::stream::unfold(state, |(mut messages, open)| async {
        let bytes = match tokio::time::timeout(KEEP_ALIVE, messages.next()).await {
            Ok(message) => sse::message(&message?),
            Err(_) => sse::comment("keep-alive"),
        };
        Some((Ok::<_, Infallible>(bytes), (messages, open)))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
