//! The three shapes of an answer to a POST, and the event stream that GET shares with them.
//!
//! Handlers return an [`Answer`], [`super::legacy`] turns it into HTTP. Invariant: a stream is
//! never quiet for longer than [`KEEP_ALIVE`], and proxies are told not to hold it back.

use std::convert::Infallible;
use std::time::Duration;

use asyncmcp_protocol::sse;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use tokio::sync::mpsc;

use crate::operation::{Metrics, OpenStream};
use crate::respond;

/// How long a stream may be quiet.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a client gets for one message.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 202, no body: there is nothing to say, or it will come by webhook.
    Accepted,
    /// The response.
    Json(Bytes),
    /// Messages, the response last.
    Stream(mpsc::Receiver<Bytes>),
}

impl Answer {
    /// The response alone, once it is there; what else there is to say is not said.
    pub(super) async fn whole(self) -> Option<Bytes> {
        match self {
            Self::Accepted => None,
            Self::Json(response) => Some(response),
            Self::Stream(mut messages) => {
                let mut last = None;
                while let Some(message) = messages.recv().await {
                    last = Some(message);
                }
                last
            }
        }
    }

    pub(super) fn into_http(self, metrics: &Metrics) -> Response {
        match self {
            Self::Accepted => StatusCode::ACCEPTED.into_response(),
            Self::Json(body) => respond::json(body),
            Self::Stream(messages) => stream(received(messages), metrics.stream()),
        }
    }
}

fn received(messages: mpsc::Receiver<Bytes>) -> impl Stream<Item = Bytes> {
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

#[cfg(test)]
mod tests {
    use asyncmcp_delivery::clock::{Clock, Millis};
    use http_body_util::BodyExt as _;
    use prometheus::Registry;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_kept_alive_and_ends_with_its_messages() {
        let metrics = Metrics::register(&Registry::new(), Clock::at(Millis::default())).unwrap();
        let (send, messages) = mpsc::channel(1);
        let response = Answer::Stream(messages).into_http(&metrics);
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        tokio::spawn(async move {
            tokio::time::sleep(KEEP_ALIVE + Duration::from_secs(1)).await;
            send.send(Bytes::from_static(b"{}")).await.unwrap();
        });
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, ": keep-alive\n\nevent: message\ndata: {}\n\n");
    }
}
