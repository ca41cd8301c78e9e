//! Session ids, as a client may send them. Run by `make fuzz`.
//!
//! Invariant: an id opens as the session that was sealed, or not at all; a changed bit is enough for that. What a key of
//! ours sealed in another form is refused, too.
#![no_main]

use std::time::Duration;

use asyncmcp_dataplane::caller::session::LegacySession;
use asyncmcp_dataplane::caller::session::seal::Ring;
use asyncmcp_delivery::clock::Millis;
use asyncmcp_protocol::RawObject;
use asyncmcp_protocol::initialize::InitializeParams;
use libfuzzer_sys::fuzz_target;

const ROUTE: &str = "default/route";
const AGE: (Millis, Duration) = (Millis(0), Duration::from_secs(60));
const NONCE: [u8; 12] = [7; 12];

fuzz_target!(|input: (u16, &[u8])| {
    let (bit, bytes) = input;
    let ring = Ring::random();
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(LegacySession::open(&ring, ROUTE, text, AGE).is_err(), "nobody sealed {text}");
    }
    let id = format!("v1.{}", ring.seal("session", ROUTE, bytes, NONCE));
    let _ = LegacySession::open(&ring, ROUTE, &id, AGE);
    if let Ok(params) = RawObject::parse(bytes).map(|params| InitializeParams::parse(&params)) {
        params.into_iter().for_each(|params| check(&ring, bit, params));
    }
});

fn check(ring: &Ring, bit: u16, params: InitializeParams) {
    let session = LegacySession::of(params, None, [5; 16], AGE);
    let id = session.seal(ring, ROUTE, NONCE);
    assert_eq!(LegacySession::open(ring, ROUTE, &id, AGE), Ok(session));
    let mut changed = id.into_bytes();
    let bit = usize::from(bit) % (8 * changed.len());
    changed[bit / 8] ^= 1 << (bit % 8);
    if let Ok(id) = String::from_utf8(changed) {
        assert!(LegacySession::open(ring, ROUTE, &id, AGE).is_err(), "{id} was changed");
    }
}
