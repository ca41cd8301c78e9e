//! A POST body of protocol version 2025-03-26: one message, or an array of messages.
//!
//! Parsed by the endpoint, which knows the session's version and refuses batches in all others.
//!
//! Invariant: the messages of a batch are independent; an invalid one does not affect the others (JSON-RPC 2.0, Batch).

use serde_json::value::RawValue;

use crate::depth;
use crate::message::{Error, Flaw, Message};

pub use crate::message::is_batch;

/// Maximum number of messages in a batch. Each may become a message to every server of the route.
pub const MAX_MESSAGES: usize = 32;

/// The content of a POST.
#[derive(Debug)]
pub enum Body {
    /// One message.
    One(Message),
    /// The messages of a batch, or the error for each invalid one.
    Batch(Vec<Result<Message, Error>>),
}

impl Body {
    /// Parses a body, which may be a batch.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if is_batch(json) {
            batch(json).map(Self::Batch)
        } else {
            Message::parse(json).map(Self::One)
        }
    }
}

fn batch(json: &[u8]) -> Result<Vec<Result<Message, Error>>, Error> {
    if depth::is_too_deep(json) {
        return Err(Error::flaw(Flaw::TooDeep));
    }
    let messages: Vec<&RawValue> = serde_json::from_slice(json).map_err(Error::Json)?;
    match messages.len() {
        1..=MAX_MESSAGES => Ok(messages
            .into_iter()
            .map(|message| Message::parse(message.get().as_bytes()))
            .collect()),
        _ => Err(Error::flaw(Flaw::BatchSize { max: MAX_MESSAGES })),
    }
}

/// The response to a batch: the responses as one array.
pub fn to_bytes(responses: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![b'['];
    out.extend_from_slice(&responses.join(&b','));
    out.push(b']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_message_does_not_affect_the_others() {
        let json = br#" [ {"jsonrpc":"2.0","id":1,"method":"ping"} , 5, {"jsonrpc":"2.0","method":"n"} ]"#;
        let Body::Batch(messages) = Body::parse(json).unwrap() else {
            panic!()
        };
        let readable: Vec<_> = messages.iter().map(Result::is_ok).collect();
        assert_eq!(readable, [true, false, true]);
    }

    #[test]
    fn an_empty_or_too_large_batch_is_refused() {
        let endless = format!("[{}5]", "5,".repeat(MAX_MESSAGES));
        for json in ["[]", &endless] {
            assert!(
                Body::parse(json.as_bytes())
                    .unwrap_err()
                    .to_string()
                    .contains("32")
            );
        }
        assert!(matches!(Body::parse(b"[1,"), Err(Error::Json(_))));
    }

    #[test]
    fn one_message_is_not_a_batch() {
        let body = Body::parse(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).unwrap();
        assert!(matches!(body, Body::One(Message::Request(_))));
    }

    #[test]
    fn responses_are_sent_as_one_array() {
        assert_eq!(to_bytes(&[b"{}".to_vec(), b"{}".to_vec()]), b"[{},{}]");
    }
}
