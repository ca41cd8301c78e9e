//! The body of a POST, as anybody may send one. Run by `make fuzz`.
//!
//! Invariant: whatever is accepted is written back as a message that reads the same, with the bytes of its parameters.
#![no_main]

use asyncmcp_protocol::Message;
use asyncmcp_protocol::batch::Body;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    match Body::parse(body) {
        Ok(Body::One(message)) => check(body, &message),
        Ok(Body::Batch(messages)) => messages.iter().flatten().for_each(|message| check(body, message)),
        Err(error) => drop(error.to_response().to_bytes()),
    }
});

fn check(body: &[u8], message: &Message) {
    let written = message.to_bytes();
    let read = Message::parse(&written).expect("what is written can be read");
    assert_eq!(read.to_bytes(), written, "a message changes each time it is written");
    let params = match message {
        Message::Request(request) => {
            let _ = (request.tool_name(), request.progress_token(), request.meta());
            request.params.as_ref()
        }
        Message::Notification(notification) => notification.params.as_ref(),
        Message::Response(_) => None,
    };
    for (_, value) in params.into_iter().flat_map(|params| params.iter()) {
        let value = value.get().as_bytes();
        assert!(body.windows(value.len()).any(|part| part == value), "a parameter's bytes changed");
    }
}
