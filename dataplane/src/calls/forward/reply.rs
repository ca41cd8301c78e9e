//! Where a call's messages go while its client may still be there: first the choice between one
//! JSON body and a stream, then the stream.
//!
//! [`super`] gives one end to the task that calls the server and waits on the other.
//! Invariant: the task never waits for a client that is gone or no longer reads.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::caller::answer::Answer;

/// How long an answer may keep the form of one JSON body.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(5);
/// A client that takes no message for so long has stopped reading.
const STUCK: Duration = Duration::from_mins(1);
/// Messages that wait for the client.
const BACKLOG: usize = 16;

/// The task's end.
#[derive(Debug)]
pub(super) struct AnswerSender {
    head: Option<oneshot::Sender<Head>>,
    messages: mpsc::Sender<Bytes>,
    stuck: bool,
}

/// The client's end.
#[derive(Debug)]
pub(super) struct PendingAnswer {
    head: oneshot::Receiver<Head>,
    messages: mpsc::Receiver<Bytes>,
}

#[derive(Debug)]
enum Head {
    Json(Bytes),
    Stream,
}

pub(super) fn channel() -> (AnswerSender, PendingAnswer) {
    let (head, pending_head) = oneshot::channel();
    let (messages, pending) = mpsc::channel(BACKLOG);
    let reply = AnswerSender {
        head: Some(head),
        messages,
        stuck: false,
    };
    let pending = PendingAnswer {
        head: pending_head,
        messages: pending,
    };
    (reply, pending)
}

impl AnswerSender {
    /// The server streams, so the answer is a stream.
    pub(super) fn begin(&mut self) {
        if let Some(head) = self.head.take() {
            let _ = head.send(Head::Stream); // nobody waits: it is a stream already
        }
    }

    /// One message on the stream.
    pub(super) async fn send(&mut self, message: Bytes) {
        self.begin();
        if !self.is_gone() {
            self.stuck = self.messages.send_timeout(message, STUCK).await.is_err();
        }
    }

    /// The response, and the end: as a JSON body while that is still possible.
    pub(super) async fn finish(mut self, response: Bytes) {
        let unsent = match self.head.take() {
            None => Some(response),
            Some(head) => match head.send(Head::Json(response)) {
                Err(Head::Json(response)) => Some(response),
                _ => None,
            },
        };
        if let Some(response) = unsent {
            self.send(response).await;
        }
    }

    /// Returns when the client has gone away.
    pub(super) fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let messages = self.messages.clone();
        async move { messages.closed().await }
    }

    /// Whether nobody reads any more.
    pub(super) fn is_gone(&self) -> bool {
        self.stuck || self.messages.is_closed()
    }
}

impl PendingAnswer {
    /// Waits until the form of the answer is known.
    pub(super) async fn answer(self) -> Answer {
        match timeout(HEAD_TIME, self.head).await {
            Ok(Ok(Head::Json(response))) => Answer::Json(response),
            _ => Answer::Stream(self.messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Bytes = Bytes::from_static(b"{}");

    #[tokio::test(start_paused = true)]
    async fn a_quick_response_is_one_body() {
        let (reply, pending) = channel();
        reply.finish(JSON).await;
        assert!(matches!(pending.answer().await, Answer::Json(body) if body == JSON));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_response_is_the_last_event_of_a_stream() {
        let (reply, pending) = channel();
        let answer = tokio::spawn(pending.answer());
        tokio::time::sleep(HEAD_TIME + Duration::from_millis(1)).await;
        let Answer::Stream(mut messages) = answer.await.unwrap() else {
            panic!("not a stream")
        };
        reply.finish(JSON).await;
        assert_eq!(messages.recv().await, Some(JSON));
        assert_eq!(messages.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_makes_it_a_stream() {
        let (mut reply, pending) = channel();
        reply.send(JSON).await;
        reply.finish(JSON).await;
        let Answer::Stream(mut messages) = pending.answer().await else {
            panic!("not a stream")
        };
        assert!(messages.recv().await.is_some() && messages.recv().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_gone_or_stuck_holds_nothing_up() {
        let (mut reply, pending) = channel();
        for _ in 0..2 * BACKLOG {
            reply.send(JSON).await;
        }
        assert!(reply.is_gone());
        drop(pending);
        let (mut reply, pending) = channel();
        drop(pending);
        reply.send(JSON).await;
        assert!(reply.is_gone());
        reply.finish(JSON).await;
    }
}
