//! Decodes and encodes server-sent events (HTML standard, "Server-sent events").
//!
//! The data plane decodes streams of servers and encodes streams to clients; the client library decodes streams of the
//! gateway.
//!
//! Invariant: the events do not depend on how the bytes are split into chunks, and an event larger than the limit is an
//! error instead of filling memory.

use std::collections::VecDeque;

use bytes::Bytes;

mod encode;
#[cfg(test)]
mod tests;

pub use encode::{comment, encode, message};

/// One event: the fields between two empty lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; in MCP, absent or `message`.
    pub event: Option<String>,
    /// The `id` field, if the event has one.
    pub id: Option<String>,
    /// The `data` lines, joined by line feeds; `None` if there are none.
    pub data: Option<Bytes>,
    /// The `retry` field, in milliseconds.
    pub retry: Option<u64>,
}

impl Event {
    /// The JSON-RPC message in the event. `None` for priming events, whose data is empty, and for other types of
    /// events.
    pub fn message(&self) -> Option<&Bytes> {
        let ours = matches!(self.event.as_deref(), None | Some("" | "message"));
        self.data.as_ref().filter(|data| ours && !data.is_empty())
    }
}

/// Why reading a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An event exceeds the limit.
    #[error("an event of the stream is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// An incremental decoder: takes bytes, returns events.
///
/// An incomplete event at the end of the stream is dropped, as the standard requires, unless it is asked for by
/// [`Decoder::finish`].
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    line: Vec<u8>,
    event: Event,
    /// The data lines of the current event, each followed by a line feed.
    data: Vec<u8>,
    /// The last byte was a CR; an LF directly after it is part of the same line end.
    after_cr: bool,
    /// No complete line has been read, so a byte order mark may still follow.
    at_start: bool,
    ready: VecDeque<Event>,
    failed: Option<Error>,
}

impl Decoder {
    /// Creates a decoder that accepts events of at most `limit` bytes.
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

    /// Adds the next bytes of the stream. After an error, every further call returns it again; events before the error
    /// are still available.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read(chunk).inspect_err(|error| self.failed = Some(*error))
    }

    /// Removes and returns the next complete event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// The event at the end of the stream that lacks its empty line, if there is one. It may have been cut: only a caller
    /// that can tell that its data is complete may use it.
    pub fn finish(&mut self) -> Option<Event> {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.end_event();
        self.ready.pop_back().filter(|_| self.failed.is_none())
    }

    /// The number of bytes held for the incomplete event.
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
        self.line = line; // reuse the allocation
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
            _ => {} // comments and unknown fields
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
