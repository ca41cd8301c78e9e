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

/// The header of a 202 that names the delivery of the response, as the delivery itself does.
const WEBHOOK_ID: &str = "webhook-id";
/// How long a stream may be quiet.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The HTTP response that `answer` is, to a client that takes these kinds.
pub(super) fn http(answer: Answer, kinds: Kinds, metrics: &Metrics) -> Response {
    rewritten(answer, kinds, metrics, std::convert::identity)
}

/// The same with each message as `rewrite` writes it.
pub(super) fn rewritten(
    answer: Answer,
    kinds: Kinds,
    metrics: &Metrics,
    rewrite: fn(Bytes) -> Bytes,
) -> Response {
    match answer {
        Answer::Accepted => StatusCode::ACCEPTED.into_response(),
        Answer::Acknowledged(webhook_id) => {
            (StatusCode::ACCEPTED, [(WEBHOOK_ID, webhook_id)]).into_response()
        }
        Answer::Refused(error) => error.answer(None),
        Answer::Forbidden(error, id) => error.answer(Some(id)),
        Answer::Json(body) if kinds.json => respond::json(rewrite(body)),
        Answer::Json(body) => stream(futures::stream::once(ready(rewrite(body))), metrics.stream()),
        Answer::Stream(messages) => stream(received(messages).map(rewrite), metrics.stream()),
        Answer::Resumable(events) => frames(events.map(|event| sse::encode(&event)), metrics.stream()),
    }
}

fn received(messages: mpsc::Receiver<Bytes>) -> impl Stream<Item = Bytes> {
    futures::stream::unfold(messages, |mut messages| async {
        messages.recv().await.map(|message| (message, messages))
    })
}

/// An event stream of `messages`, with a comment wherever they pause.
pub(super) fn stream(messages: impl Stream<Item = Bytes> + Send + 'static, open: OpenStream) -> Response {
    frames(messages.map(|message| sse::message(&message)), open)
}

/// The same of events as they are written.
fn frames(frames: impl Stream<Item = Bytes> + Send + 'static, open: OpenStream) -> Response {
    let state = (Box::pin(frames), open);
    let events = futures::stream::unfold(state, |(mut frames, open)| async {
        let bytes = match tokio::time::timeout(KEEP_ALIVE, frames.next()).await {
            Ok(frame) => frame?,
            Err(_) => sse::comment("keep-alive"),
        };
        Some((Ok::<_, Infallible>(bytes), (frames, open)))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
