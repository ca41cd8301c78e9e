//! What a server's error says beside its HTTP status: whether it is the answer to a request, and whether it means that the
//! session is not known.
//!
//! Called by [`super::ServerSession`]. Invariant: an error of a tool's is never taken for one about the session.

use asyncmcp_protocol::{Code, Id, Message, Outcome, Response};
use bytes::Bytes;

use crate::servers::Error;

/// A JSON-RPC error under the request's own id is its answer, whatever the HTTP status: the server has
/// dispatched the request.
pub(super) fn answers(said: &Bytes, request: Option<&Id>) -> bool {
    match Message::parse(said) {
        Ok(Message::Response(response)) => {
            response.error_object().is_some() && request.is_some() && response.id.as_ref() == request
        }
        _ => false,
    }
}

/// Whether a server that was modern refuses a request as only one of another era, or of other versions, does.
pub(super) fn is_of_another_era(error: &Error, said: &Bytes, request: Option<&Id>) -> bool {
    const OTHER_VERSIONS: i64 = Code::UnsupportedProtocolVersion.value();
    let is_refused = matches!(
        error,
        Error::Rejected {
            status: 400 | 404 | 405,
            ..
        }
    );
    let other_versions = || {
        let code = of_body(said).and_then(|response| response.error_object());
        code.is_some_and(|error| error.code == OTHER_VERSIONS)
    };
    is_refused && (!answers(said, request) || other_versions())
}

/// How servers report an unknown session, in an error of any form: "No valid session ID provided",
/// "Server not initialized", "Session not found". A text that only mentions a session may be the tool's.
pub(super) fn says_unknown_session(body: &[u8]) -> bool {
    const WORDS: [&str; 7] = [
        "valid session id",
        "missing session id",
        "session not found",
        "session expired",
        "unknown session",
        "invalid session",
        "server not initialized",
    ];
    let message = String::from_utf8_lossy(body).to_ascii_lowercase();
    WORDS.iter().any(|words| message.contains(words))
}

/// Whether the response is an error that says so.
pub(super) fn denies_session(response: &Response) -> bool {
    response.error_object().is_some_and(|error| {
        is_of_the_transport(error.code) && says_unknown_session(error.message.as_bytes())
    })
}

/// The codes of errors about the session: those that JSON-RPC leaves to implementations, and -32600. Others are the
/// tool's.
fn is_of_the_transport(code: i64) -> bool {
    matches!(code, -32099..=-32000 | -32600)
}

/// The error that the body is. Looks for the key before it parses: nearly every answer is a result.
pub(super) fn of_body(body: &[u8]) -> Option<Response> {
    const KEY: &[u8] = b"error";
    if !body.windows(KEY.len()).any(|word| word == KEY) {
        return None;
    }
    match Message::parse(body) {
        Ok(Message::Response(response)) if matches!(response.outcome, Outcome::Error(_)) => Some(response),
        _ => None,
    }
}
