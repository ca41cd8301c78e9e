//! A server's SSE stream, read as messages.
//!
//! Handed out by [`ServerSession`] and read by whoever relays or waits. A stream that
//! breaks is resumed by GET with `Last-Event-ID` (MCP 2025-11-25, "Resumability
//! and Redelivery"; SEP-1699), at the server's pace (`retry`), a bounded number of times.
//! Invariant: after a request's response nothing is read any more, and a message is
//! handed out once.

mod pace;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::batch::{self, Body};
use asyncmcp_protocol::{Message, Outcome, Request, sse};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use reqwest::Response;

use super::ServerSession;
use crate::servers::Error;
use crate::servers::operation::Operation;
use pace::Pace;

/// One message from a server.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it is.
    pub message: Message,
    /// Its bytes as the server wrote them.
    pub raw: Bytes,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The answer to a POST: ends with the response, and cannot be resumed without event ids.
    Answer,
    /// The standalone GET stream: never ends.
    Listen,
}

/// Receives the id of each event that has one.
pub type Noted = Arc<dyn Fn(&str) + Send + Sync>;

type Chunks = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// A server's stream of messages.
pub struct Events {
    session: ServerSession,
    purpose: Purpose,
    operation: Option<Operation>,
    chunks: Option<Chunks>,
    decoder: sse::Decoder,
    ready: VecDeque<Incoming>,
    last_id: Option<String>,
    pace: Pace,
    over: bool,
    /// Asked for capacity before much of an event is held.
    room: Room,
    noted: Option<Noted>,
    /// The method of the request that this answers.
    method: String,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({:?} of {})", self.purpose, self.session.server())
    }
}

impl Events {
    pub(in crate::servers) fn answer(
        session: ServerSession,
        response: Response,
        operation: Option<Operation>,
    ) -> Self {
        Self::new(session, Purpose::Answer, Some(response), operation)
    }

    /// The answer to a POST that another process sent, from the event `last_id` on. The server has as much
    /// time to be there as a task has.
    pub(in crate::servers) fn resumed(session: ServerSession, last_id: &str) -> Self {
        Self {
            last_id: Some(last_id.to_owned()),
            pace: Pace::patient(),
            ..Self::new(session, Purpose::Answer, None, None)
        }
    }

    /// The same, holding large events only with `room`.
    #[must_use]
    pub(in crate::servers) fn within(mut self, room: Room) -> Self {
        self.room = room;
        self
    }

    /// The same, as the answer to a request of this method.
    #[must_use]
    pub(in crate::servers) fn to(mut self, method: String) -> Self {
        self.method = method;
        self
    }

    /// The same, reporting the ids of its events.
    #[must_use]
    pub(in crate::servers) fn noting(mut self, noted: Option<Noted>) -> Self {
        self.noted = noted;
        self
    }

    pub(in crate::servers) fn listen(session: ServerSession, response: Response) -> Self {
        Self::new(session, Purpose::Listen, Some(response), None)
    }

    fn new(
        session: ServerSession,
        purpose: Purpose,
        response: Option<Response>,
        operation: Option<Operation>,
    ) -> Self {
        let chunks = response.map(|response| Box::pin(response.bytes_stream()) as Chunks);
        Self {
            decoder: sse::Decoder::new(session.upstream().max_response()),
            session,
            purpose,
            operation,
            chunks,
            ready: VecDeque::new(),
            last_id: None,
            pace: Pace::start(),
            over: false,
            room: Room::default(),
            noted: None,
            method: String::new(),
        }
    }

    /// The next message; `None` after the response, or after an error. Nothing is lost when
    /// the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Incoming, Error>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(Ok(self.hand_out(message)));
            }
            if self.over {
                return None;
            }
            if let Err(error) = self.advance().await {
                self.over = true;
                if let Some(operation) = &mut self.operation {
                    operation.failed(&error);
                }
                return Some(Err(error));
            }
        }
    }

    /// The session this is a stream of.
    pub fn session(&self) -> &ServerSession {
        &self.session
    }

    /// Answers a server's request on it as one that nobody could answer.
    pub fn decline(&self, request: &Request) {
        self.session.decline(request);
    }

    /// The messages as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Incoming, Error>> + Send {
        futures::stream::unfold(self, |mut events| async {
            let next = events.next().await?;
            Some((next, events))
        })
    }

    fn hand_out(&mut self, mut incoming: Incoming) -> Incoming {
        if let (Message::Response(response), Purpose::Answer) = (&incoming.message, self.purpose) {
            self.session.heed(response);
            if let (Outcome::Error(_), Some(operation)) = (&response.outcome, &mut self.operation) {
                operation.refused();
            }
            self.over = true;
            self.chunks = None;
            self.operation = None; // measured to here
            incoming = self.translated(incoming);
        }
        incoming
    }

    /// The response as its reader's era has it.
    fn translated(&self, incoming: Incoming) -> Incoming {
        if !self.session.is_modern() {
            return incoming;
        }
        let raw = self.session.read(&self.method, incoming.raw);
        match Message::parse(&raw) {
            Ok(message) => Incoming { message, raw },
            Err(_) => Incoming { raw, ..incoming },
        }
    }

    /// Reads a chunk, or resumes the stream.
    async fn advance(&mut self) -> Result<(), Error> {
        self.room.take(self.decoder.held()).await;
        let Some(chunks) = &mut self.chunks else {
            return self.resume().await;
        };
        match self.room.read(chunks.next()).await {
            Ok(Some(Ok(chunk))) => self.read(&chunk),
            Ok(Some(Err(error))) => self.broke(Error::Broken(error.without_url())),
            Ok(None) => self.broke(Error::Interrupted),
            Err(stalled) => self.broke(stalled.into()),
        }
    }

    fn read(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let pushed = self.decoder.push(chunk);
        while let Some(event) = self.decoder.next_event() {
            self.pace.progressed(event.retry);
            if let Some(data) = event.message() {
                self.ready.extend(messages(data)?);
            }
            if let Some(id) = event.id.filter(|_| !self.session.is_modern()) {
                if let Some(noted) = &self.noted {
                    noted(&id);
                }
                self.last_id = Some(id);
            }
        }
        // What came before an event that is too large still counts, and may be the response.
        match pushed {
            Err(sse::Error::TooLarge { limit }) if self.ready.is_empty() => Err(Error::TooLarge { limit }),
            _ => Ok(()),
        }
    }

    /// The connection is gone. Without an event id the answer to a POST went with it.
    fn broke(&mut self, error: Error) -> Result<(), Error> {
        if let Some(response) = self.last_response() {
            self.ready.push_back(response);
            return Ok(());
        }
        if self.purpose == Purpose::Answer && (self.last_id.is_none() || self.session.is_modern()) {
            return Err(error);
        }
        self.chunks = None;
        self.pace.broke().ok_or(error)
    }

    /// The response to a POST in a last event without its empty line, after which some servers close the connection. One
    /// that was cut is no JSON.
    fn last_response(&mut self) -> Option<Incoming> {
        let event = self
            .decoder
            .finish()
            .filter(|_| self.purpose == Purpose::Answer)?;
        let mut messages = messages(event.message()?).ok()?.into_iter();
        messages.find(|incoming| matches!(incoming.message, Message::Response(_)))
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.pace.wait().await;
        match self.session.stream(self.last_id.as_deref()).await {
            Ok(response) => {
                self.decoder = sse::Decoder::new(self.session.upstream().max_response());
                self.chunks = Some(Box::pin(response.bytes_stream()));
                self.pace.connected();
                Ok(())
            }
            Err(
                error @ (Error::NotSent(_) | Error::Credentials(_) | Error::Broken(_) | Error::Busy { .. }),
            ) => self.pace.broke().ok_or(error),
            Err(Error::Rejected { status: 500.., .. }) => self.pace.broke().ok_or(Error::Interrupted),
            // A call whose session is gone was dispatched all the same.
            Err(_) if self.purpose == Purpose::Answer => Err(Error::Interrupted),
            Err(error) => Err(error),
        }
        .map_err(|error| self.after_dispatch(error))
    }

    /// A failure to reconnect is not a failure to send: the request went out long ago.
    fn after_dispatch(&self, error: Error) -> Error {
        match (error, self.purpose) {
            (Error::NotSent(_) | Error::Credentials(_) | Error::Busy { .. }, Purpose::Answer) => {
                Error::Interrupted
            }
            (error, _) => error,
        }
    }
}

/// The messages in one event: a batch where the server is of 2025-03-26.
fn messages(data: &Bytes) -> Result<Vec<Incoming>, Error> {
    if !batch::is_batch(data) {
        let message =
            Message::parse(data).map_err(|_| Error::Protocol("an event holds no JSON-RPC message"))?;
        return Ok(vec![Incoming {
            message,
            raw: data.clone(),
        }]);
    }
    let Ok(Body::Batch(messages)) = Body::parse(data) else {
        return Err(Error::Protocol("a batch cannot be read"));
    };
    let incoming = messages.into_iter().flatten().map(|message| Incoming {
        raw: message.to_bytes().into(),
        message,
    });
    Ok(incoming.collect())
}
