//! A server's event stream. Run by `make fuzz`.
//!
//! Invariant: how the bytes are split decides nothing, and an event over the limit is an error.
#![no_main]

use asyncmcp_protocol::sse::{Decoder, Event};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 256;

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (cuts, bytes) = input;
    let whole = decode([bytes.as_slice()]);
    assert_eq!(decode(pieces(&cuts, &bytes)), whole, "a split changed the events");
    assert_eq!(decode(bytes.chunks(1)), whole, "single bytes changed the events");
    for event in &whole.0 {
        let data = event.data.as_ref().map_or(0, |data| data.len());
        assert!(data <= LIMIT, "an event of {data} bytes passed the limit");
    }
});

/// The events up to the end or the first error, and whether there was one.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, bool) {
    let mut decoder = Decoder::new(LIMIT);
    let mut events = Vec::new();
    let mut failed = false;
    for piece in pieces {
        failed = decoder.push(piece).is_err();
        events.extend(std::iter::from_fn(|| decoder.next_event()));
        if failed {
            break;
        }
    }
    (events, failed)
}

fn pieces<'a>(cuts: &[u8], mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, rest) = bytes.split_at(usize::from(*cut).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}
