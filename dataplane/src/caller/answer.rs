//! What a caller gets for one message.
//!
//! [`crate::calls`] returns an `Answer`, the edge turns it into HTTP. Invariant: the response is the last message.

use asyncmcp_protocol::sse::Event;
use asyncmcp_protocol::{Id, RawValue, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

use super::operation::Operation;
use super::respond::Error;

/// What a client gets for one message.
pub(crate) enum Answer {
    /// 202, no body: there is no response.
    Accepted,
    /// 202, no body, and the `webhook-id` under which the response is delivered.
    Acknowledged(String),
    /// A message without a response that was not accepted: only the HTTP status can tell.
    Refused(Error),
    /// A request that is refused by the HTTP status as well: its client is to get other credentials, or to declare a
    /// capability.
    Forbidden(Error, Id),
    /// The response.
    Json(Bytes),
    /// Messages, the response last.
    Stream(mpsc::Receiver<Bytes>),
    /// The same as events, after each of which the client can read the stream on.
    Resumable(BoxStream<'static, Event>),
}

impl Answer {
    /// The response alone, once it is there; other messages are dropped.
    pub(crate) async fn whole(self) -> Option<Bytes> {
        match self {
            Self::Accepted | Self::Acknowledged(_) | Self::Refused(_) => None,
            Self::Forbidden(error, id) => Some(error.to_response(Some(id))),
            Self::Json(response) => Some(response),
            Self::Stream(mut messages) => {
                let mut last = None;
                while let Some(message) = messages.recv().await {
                    last = Some(message);
                }
                last
            }
            Self::Resumable(events) => {
                let messages = events.filter_map(async |event| event.message().cloned());
                messages.fold(None, async |_, message| Some(message)).await
            }
        }
    }

    /// The result of the request `id`.
    pub(crate) fn result(id: Id, result: &RawValue) -> Self {
        Self::Json(Response::result(id, result.to_owned()).to_bytes().into())
    }

    /// The error that the request `id` ends with.
    pub(crate) fn refusal(error: &Error, id: Id, operation: &mut Operation) -> Self {
        operation.failed(error.code().reason());
        Self::Json(error.to_response(Some(id)))
    }
}
