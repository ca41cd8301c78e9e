//! Encodes server-sent events.
//!
//! Called when the response to a client is a stream.
//!
//! Invariant: decoding an encoded event returns the same event, except that line ends in the data become line feeds,
//! which are white space in JSON.

use bytes::{BufMut, Bytes, BytesMut};

use super::Event;

/// Encodes `event: message` with `data`, the form in which MCP servers send every JSON-RPC message.
pub fn message(data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 32);
    field(&mut out, "event", b"message");
    lines(&mut out, data);
    out.put_u8(b'\n');
    out.freeze()
}

/// Encodes any event. An `id` or `event` that contains a line end or NUL is omitted.
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

/// Encodes a comment, which readers skip: it keeps an idle connection open.
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

/// Writes one `data` line for every line of `data`; CR LF, CR and LF are line ends.
fn lines(out: &mut BytesMut, mut data: &[u8]) {
    while let Some(end) = data.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        field(out, "data", &data[..end]);
        let width = if data[end..].starts_with(b"\r\n") { 2 } else { 1 };
        data = &data[end + width..];
    }
    field(out, "data", data);
}
