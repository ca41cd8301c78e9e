//! From events to bytes.
//!
//! Called where a response to a client is a stream.
//!
//! Invariant: what is written is read back as it was, whatever line ends the data holds;
//! line ends in it become line feeds, which inside JSON are white space.

use bytes::{BufMut, Bytes, BytesMut};

use super::Event;

/// `event: message` with `data`, as MCP servers send every JSON-RPC message.
pub fn message(data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 32);
    field(&mut out, "event", b"message");
    lines(&mut out, data);
    out.put_u8(b'\n');
    out.freeze()
}

/// Any event. An `id` or `event` that a line cannot carry is left out.
pub fn encode(event: &Event) -> Bytes {
    let mut out = BytesMut::new();
    for (name, value) in [("event", &event.event), ("id", &event.id)] {
        match value {
            Some(value) if !value.contains(['\r', '\n', '\0']) => field(&mut out, name, value.as_bytes()),
            _ => {}
        }
    }
    if let Some(retry) = event.retry {
        field(&mut out, "retry", retry.to_string().as_bytes());
    }
    if let Some(data) = &event.data {
        lines(&mut out, data);
    }
    out.put_u8(b'\n');
    out.freeze()
}

/// A comment, which readers skip: it keeps a quiet connection open.
pub fn comment(text: &str) -> Bytes {
    let mut out = BytesMut::new();
    for line in text.split(['\r', '\n']) {
        out.put_slice(b": ");
        out.put_slice(line.as_bytes());
        out.put_u8(b'\n');
    }
    out.put_u8(b'\n');
    out.freeze()
}

fn field(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_u8(b'\n');
}

/// One `data` line for every line of `data`; CR LF, CR and LF each end one.
fn lines(out: &mut BytesMut, mut data: &[u8]) {
    while let Some(end) = data.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        field(out, "data", &data[..end]);
        let width = if data[end..].starts_with(b"\r\n") { 2 } else { 1 };
        data = &data[end + width..];
    }
    field(out, "data", data);
}
