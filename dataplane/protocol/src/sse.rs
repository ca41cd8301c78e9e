//! Server-sent events, both ways (HTML standard, "Server-sent events").
//!
//! Decoded from servers and, in the client library, from the gateway; encoded to clients.
//!
//! Invariant: how the bytes are cut into chunks never changes the events, and an event larger
//! than the limit ends the stream instead of filling memory.

use std::collections::VecDeque;

use bytes::Bytes;

mod encode;
#[cfg(test)]
mod tests;

pub use encode::{comment, encode, message};

/// What the field lines between two empty lines said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; MCP uses none or `message`.
    pub event: Option<String>,
    /// The `id` field, where the event has one of its own.
    pub id: Option<String>,
    /// The `data` lines, joined by line feeds; `None` where there was none.
    pub data: Option<Bytes>,
    /// The `retry` field, milliseconds.
    pub retry: Option<u64>,
}

impl Event {
    /// The JSON-RPC text in the event. `None` for priming events, whose data is empty, and
    /// for events of other kinds.
    pub fn message(&self) -> Option<&Bytes> {
        let ours = matches!(self.event.as_deref(), None | Some("" | "message"));
        self.data.as_ref().filter(|data| ours && !data.is_empty())
    }
}

/// The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An event exceeds the limit.
    #[error("an event of the stream is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// An incremental reader: bytes in, events out.
///
/// An event that the end of the stream cuts off is dropped, as the standard says.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    line: Vec<u8>,
    event: Event,
    /// The data lines so far, each followed by a line feed.
    data: Vec<u8>,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// Nothing but a part of a byte order mark has been seen.
    at_start: bool,
    ready: VecDeque<Event>,
    failed: Option<Error>,
}

impl Decoder {
    /// A decoder of a stream whose events hold at most `limit` bytes each.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            event: Event::default(),
            data: Vec::new(),
            after_cr: false,
            at_start: true,
            ready: VecDeque::new(),
            failed: None,
        }
    }

    /// Takes the next bytes of the stream. After an error every further call repeats it;
    /// events that came before it can still be taken.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read(chunk).inspect_err(|error| self.failed = Some(*error))
    }

    /// The next event that is complete.
    pub fn next_event(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// Bytes of the event that is not complete yet.
    pub fn held(&self) -> usize {
        self.data.len() + self.line.len()
    }

    fn read(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let mut rest = chunk;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            match rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
                None => return self.extend_line(rest),
                Some(end) => {
                    self.extend_line(&rest[..end])?;
                    self.after_cr = rest[end] == b'\r';
                    self.end_line();
                    rest = &rest[end + 1..];
                }
            }
        }
        Ok(())
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.data.len() + self.line.len() + bytes.len() > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.at_start) && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        if line.is_empty() {
            self.end_event();
        } else {
            self.field(&line);
        }
        line.clear();
        self.line = line; // keeps the allocation
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = || String::from_utf8_lossy(value).into_owned();
        match &line[..colon] {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.event.event = Some(text()),
            b"id" if !value.contains(&0) => self.event.id = Some(text()),
            b"retry" if value.iter().all(u8::is_ascii_digit) => self.event.retry = text().parse().ok(),
            _ => {} // comments, and fields nobody knows
        }
    }

    fn end_event(&mut self) {
        if self.data.pop().is_some() {
            self.event.data = Some(std::mem::take(&mut self.data).into());
        }
        let event = std::mem::take(&mut self.event);
        if event != Event::default() {
            self.ready.push_back(event);
        }
    }
}
