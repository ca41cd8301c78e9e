//! What the receiver gets: the JSON-RPC response under the client's id.
//!
//! Called by [`super::Runner`] for outcomes and by the engine for the ends that it decides.
//! Invariant: a server's `result` or `error` is in it byte for byte; our own text says no
//! more about a server than its name in the route.

use asyncmcp_delivery::job::Call;
use asyncmcp_delivery::state::End;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::raw::RawObject;
use asyncmcp_protocol::{Id, Message, Outcome, RawValue, Response, tool_result};
use bytes::Bytes;

use crate::servers::Reply;

/// The server's reply.
pub(super) fn of(call: &Call, reply: Reply) -> Bytes {
    let outcome = match reply {
        Reply::Result(result) => Outcome::Result(result),
        Reply::Error(error) => Outcome::Error(error),
    };
    let response = Response {
        id: id(call),
        outcome,
        extra: RawObject::new(),
    };
    response.to_bytes().into()
}

/// The response where there is no reply.
pub(super) fn instead(call: &Call, end: End) -> Bytes {
    let Call { shown_as, server, .. } = call;
    let (code, message) = match end {
        End::Timeout => (
            Code::Timeout,
            format!(
                "{shown_as} did not end within {}, the timeout of its entry in webhookTools; its server was notified",
                asyncmcp_crds::Duration::from(call.timeout)
            ),
        ),
        End::Unknown => (
            Code::OutcomeUnknown,
            format!(
                "the call of {shown_as} was interrupted after it reached its server; whether it ran to its end is not known"
            ),
        ),
        End::Cancelled => (Code::Cancelled, format!("the call of {shown_as} was cancelled")),
        End::TooLarge => (
            Code::TooLarge,
            format!(
                "the result of {shown_as} is larger than the route allows (webhook.maxResultSize, and maxResponseSize of server {server})"
            ),
        ),
        End::Error | End::Result => (
            Code::ServerUnreachable,
            format!(
                "{shown_as} did not run: server {server} could not be reached or did not accept the call"
            ),
        ),
    };
    Response::error(id(call), &ErrorObject::new(code, message))
        .to_bytes()
        .into()
}

/// The response of a call whose stored arguments are damaged.
pub(super) fn unreadable(call: &Call) -> Bytes {
    let message = format!(
        "{} did not run: its arguments are damaged in the store of the route; call it again",
        call.shown_as
    );
    Response::error(id(call), &ErrorObject::new(Code::InternalError, message))
        .to_bytes()
        .into()
}

/// The error of a call whose server needs something of a client before it answers: there is none that could be asked.
pub(super) fn asking(call: &Call) -> Box<RawValue> {
    let message = format!(
        "{} did not run to its end: server {} asked for input of its client, and nobody can be asked in a call whose result \
         goes by webhook; take the tool out of webhookTools",
        call.shown_as, call.server
    );
    ErrorObject::new(Code::MissingClientCapability, message).to_raw()
}

/// The error of a call that became a task of its server's, which nobody here cancelled.
pub(super) fn cancelled_by_server(call: &Call) -> Box<RawValue> {
    let message = format!("server {} cancelled the call of {}", call.server, call.shown_as);
    ErrorObject::new(Code::Cancelled, message).to_raw()
}

/// The response of a call that was interrupted so often that it is not tried again.
pub(super) fn poisoned(call: &Call) -> Bytes {
    let message = format!(
        "the call of {} was interrupted again and again; it is not tried any more, and whether it ran to its end is not known",
        call.shown_as
    );
    Response::error(id(call), &ErrorObject::poisoned(message))
        .to_bytes()
        .into()
}

/// Whether the tool itself reports failure in this response.
pub(super) fn is_tool_error(body: &Bytes) -> bool {
    match Message::parse(body) {
        Ok(Message::Response(Response {
            outcome: Outcome::Result(result),
            ..
        })) => tool_result::is_error(&result),
        _ => false,
    }
}

/// The client's id as it was written; acceptance has read it once already.
fn id(call: &Call) -> Option<Id> {
    let raw = serde_json::from_str(&call.request_id).ok()?;
    Id::parse(raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::runner::tests::call;

    #[test]
    fn a_reply_keeps_its_bytes_under_the_clients_id() {
        let result = serde_json::from_str(r#"{ "content":[ ],"n":1e400}"#).unwrap();
        let body = of(&call("slow"), Reply::Result(result));
        let expected = br#"{"jsonrpc":"2.0","id":"client-1","result":{ "content":[ ],"n":1e400}}"#;
        assert_eq!(body.as_ref(), expected);
    }

    #[test]
    fn a_poisoned_call_says_so() {
        let body: serde_json::Value = serde_json::from_slice(&poisoned(&call("slow"))).unwrap();
        assert_eq!(body["id"], "client-1");
        let error = &body["error"];
        assert_eq!(
            (&error["code"], &error["data"]["reason"]),
            (&(-31003).into(), &"poisoned".into())
        );
    }

    #[test]
    fn every_end_without_a_reply_has_its_code() {
        for (end, code) in [
            (End::Timeout, -31002),
            (End::Unknown, -31003),
            (End::Cancelled, -31006),
            (End::TooLarge, -31007),
            (End::Error, -31001),
        ] {
            let body: serde_json::Value = serde_json::from_slice(&instead(&call("slow"), end)).unwrap();
            assert_eq!(
                (&body["id"], &body["error"]["code"]),
                (&"client-1".into(), &code.into())
            );
        }
    }
}
