//! The servers that a request goes to one after another, until one knows what it is about.
//!
//! [`super`] asks after each answer. Invariant: a request goes to another server only where the one before said that there is
//! no such thing, or, as one of those that no list named, certainly saw nothing of it.

use std::collections::VecDeque;

use asyncmcp_protocol::Message;
use asyncmcp_protocol::code::Code;
use bytes::Bytes;

use super::Target;
use crate::caller::respond::Error;
use crate::caller::respond::server::Failure;

/// The servers that are left, and what those before said.
pub(super) struct Elsewhere {
    left: VecDeque<Target>,
    /// What the client gets if nobody knows it: the first server that could not be asked, else the first answer that there is
    /// no such thing.
    word: Option<Result<Bytes, Error>>,
}

/// What follows from an answer.
pub(super) enum Next {
    /// It is for the client.
    Answer(Result<Bytes, Error>),
    /// The request goes to this server.
    Ask(Target),
}

impl Elsewhere {
    /// These servers are left.
    pub(super) fn new(left: Vec<Target>) -> Self {
        Self {
            left: left.into(),
            word: None,
        }
    }

    /// What follows from how the request to `target` ended.
    pub(super) fn after(&mut self, target: &Target, ended: Result<Bytes, Error>) -> Next {
        if self.left.is_empty() && self.word.is_none() {
            return Next::Answer(ended); // it was the only one
        }
        let is_elsewhere = match &ended {
            Ok(response) => is_not_found(response),
            Err(error) => target.by_chance && is_unsent(error),
        };
        if !is_elsewhere {
            return Next::Answer(ended);
        }
        let word = match self.word.take() {
            Some(word) if word.is_err() || ended.is_ok() => word,
            _ => ended,
        };
        let Some(target) = self.left.pop_front() else {
            return Next::Answer(word);
        };
        self.word = Some(word);
        Next::Ask(target)
    }
}

/// Servers of either era, and those without the method, have codes of their own for it.
fn is_not_found(response: &Bytes) -> bool {
    let Ok(Message::Response(response)) = Message::parse(response) else {
        return false;
    };
    let codes = [Code::ResourceNotFound, Code::InvalidParams, Code::MethodNotFound];
    let error = response.error_object();
    error.is_some_and(|error| codes.iter().any(|code| code.value() == error.code))
}

fn is_unsent(error: &Error) -> bool {
    let failures = [Failure::NotDispatched, Failure::NoCredentials];
    matches!(error, Error::Server { failure, .. } if failures.contains(failure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::respond::server::Asked;

    fn error(code: i64) -> Bytes {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"m"}}}}"#);
        text.into()
    }

    fn failed(failure: Failure) -> Error {
        Error::Server {
            server: "x".into(),
            failure,
            asked: Asked::Other,
        }
    }

    /// How often the request goes to another server, and how it ends, where `named` and then one other were asked.
    fn asked(ends: Vec<Result<Bytes, Error>>) -> (usize, Result<Bytes, Error>) {
        let mut elsewhere = Elsewhere::new(vec![Target::by_chance("b"), Target::by_chance("c")]);
        let (mut target, mut turns) = (Target::of_server("a"), 0);
        for ended in ends {
            match elsewhere.after(&target, ended) {
                Next::Ask(next) => (target, turns) = (next, turns + 1),
                Next::Answer(answer) => return (turns, answer),
            }
        }
        panic!("it never ends")
    }

    #[test]
    fn only_what_is_not_there_is_looked_for_elsewhere() {
        for code in [-32002, -32602, -32601] {
            let (turns, answer) = asked(vec![Ok(error(code)), Ok(error(-32603))]);
            assert_eq!((turns, answer.ok()), (1, Some(error(-32603))), "{code}");
        }
        for code in [-32603, 0, -32001] {
            assert_eq!(asked(vec![Ok(error(code))]).0, 0, "{code}");
        }
        let result: Result<Bytes, Error> = Ok(Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
        assert_eq!(asked(vec![Ok(error(-32002)), result]).0, 1);
    }

    #[test]
    fn the_first_that_does_not_know_it_has_the_word_and_one_that_is_away_has_it_before() {
        let (turns, answer) = asked(vec![Ok(error(-32602)), Ok(error(-32002)), Ok(error(-32002))]);
        assert_eq!((turns, answer.ok()), (2, Some(error(-32602))));
        let away = Err(failed(Failure::NotDispatched));
        let (turns, answer) = asked(vec![Ok(error(-32602)), away, Ok(error(-32002))]);
        assert_eq!(turns, 2);
        assert!(matches!(answer, Err(Error::Server { .. })));
    }

    #[test]
    fn what_a_server_may_have_seen_goes_to_no_other() {
        assert_eq!(
            asked(vec![Err(failed(Failure::NotDispatched))]).0,
            0,
            "it is this server's"
        );
        for failure in [Failure::Unknown, Failure::Silent, Failure::TooLarge] {
            assert_eq!(asked(vec![Ok(error(-32002)), Err(failed(failure))]).0, 1);
        }
    }
}
