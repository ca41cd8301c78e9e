//! Where a call's messages go while its client may still be there: first the choice between one
//! JSON body and a stream, then the stream.
//!
//! [`super`] gives one end to the task that calls the server and waits on the other.
//! A legacy client that resumes reads a recording (`calls/resume.rs`) instead. Invariant: the task never waits for a client that is gone or no longer reads.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::calls::resume::{Reader, Recorder};

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
    outlet: Outlet,
}

/// Where the messages of a stream go.
#[derive(Debug)]
enum Outlet {
    /// To whom they are sent once.
    Once {
        messages: mpsc::Sender<Bytes>,
        stuck: bool,
    },
    /// To whom may come back for them.
    Kept(Recorder),
}

/// The client's end.
#[derive(Debug)]
pub(super) struct PendingAnswer {
    head: oneshot::Receiver<Head>,
    inlet: Inlet,
}

/// Where they come from.
#[derive(Debug)]
pub(super) enum Inlet {
    Once(mpsc::Receiver<Bytes>),
    Kept(Reader),
}

/// What the client gets.
#[derive(Debug)]
pub(super) enum Form {
    Json(Bytes),
    Stream(Inlet),
}

#[derive(Debug)]
enum Head {
    Json(Bytes),
    Stream,
}

/// The two ends; the stream is kept where it is recorded.
pub(super) fn channel(recorded: Option<(Recorder, Reader)>) -> (AnswerSender, PendingAnswer) {
    let (outlet, inlet) = if let Some((written, read)) = recorded {
        (Outlet::Kept(written), Inlet::Kept(read))
    } else {
        let (messages, pending) = mpsc::channel(BACKLOG);
        let stuck = false;
        (Outlet::Once { messages, stuck }, Inlet::Once(pending))
    };
    let (head, pending_head) = oneshot::channel();
    let reply = AnswerSender {
        head: Some(head),
        outlet,
    };
    let pending = PendingAnswer {
        head: pending_head,
        inlet,
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
        self.put(message, false).await;
    }

    async fn put(&mut self, message: Bytes, is_response: bool) {
        self.begin();
        match &mut self.outlet {
            Outlet::Once { messages, stuck } => {
                *stuck = *stuck || messages.send_timeout(message, STUCK).await.is_err();
            }
            Outlet::Kept(recorder) => recorder.send(message, is_response).await,
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
            self.put(response, true).await;
        }
    }

    /// Returns when the client has gone away for good.
    pub(super) fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let messages = match &self.outlet {
            Outlet::Once { messages, .. } => Some(messages.clone()),
            Outlet::Kept(_) => None,
        };
        async move {
            match messages {
                Some(messages) => messages.closed().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Whether nobody reads any more.
    pub(super) fn is_gone(&self) -> bool {
        match &self.outlet {
            Outlet::Once { messages, stuck } => *stuck || messages.is_closed(),
            Outlet::Kept(recorder) => recorder.is_away(),
        }
    }
}

impl PendingAnswer {
    /// Waits until the form of the answer is known.
    pub(super) async fn form(self) -> Form {
        match timeout(HEAD_TIME, self.head).await {
            Ok(Ok(Head::Json(response))) => Form::Json(response),
            _ => Form::Stream(self.inlet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Bytes = Bytes::from_static(b"{}");

    #[tokio::test(start_paused = true)]
    async fn a_quick_response_is_one_body() {
        let (reply, pending) = channel(None);
        reply.finish(JSON).await;
        assert!(matches!(pending.form().await, Form::Json(body) if body == JSON));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_response_is_the_last_event_of_a_stream() {
        let (reply, pending) = channel(None);
        let answer = tokio::spawn(pending.form());
        tokio::time::sleep(HEAD_TIME + Duration::from_millis(1)).await;
        let Form::Stream(Inlet::Once(mut messages)) = answer.await.unwrap() else {
            panic!("not a stream")
        };
        reply.finish(JSON).await;
        assert_eq!(messages.recv().await, Some(JSON));
        assert_eq!(messages.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_makes_it_a_stream() {
        let (mut reply, pending) = channel(None);
        reply.send(JSON).await;
        reply.finish(JSON).await;
        let Form::Stream(Inlet::Once(mut messages)) = pending.form().await else {
            panic!("not a stream")
        };
        assert!(messages.recv().await.is_some() && messages.recv().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_gone_or_stuck_holds_nothing_up() {
        let (mut reply, pending) = channel(None);
        for _ in 0..2 * BACKLOG {
            reply.send(JSON).await;
        }
        assert!(reply.is_gone());
        drop(pending);
        let (mut reply, pending) = channel(None);
        drop(pending);
        reply.send(JSON).await;
        assert!(reply.is_gone());
        reply.finish(JSON).await;
    }
}
