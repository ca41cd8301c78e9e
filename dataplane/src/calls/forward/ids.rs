//! The id and the progress token of a call on its way to its server, and of what comes back.
//!
//! [`super::Call`] has one. Invariant: in a session that one client owns both are the client's own, so that its
//! notifications mean the same at the server; elsewhere they are the gateway's, and no client hears of another's call.

use asyncmcp_protocol::modern::META_LOG_LEVEL;
use asyncmcp_protocol::{Id, Message, Notification, Request};
use bytes::Bytes;

use crate::caller::Caller;
use crate::servers::lines::Line;

/// The levels of log messages, the least severe first (RFC 5424).
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// How a call is named on its line.
#[derive(Debug)]
pub(super) enum Ids {
    /// As its client names it.
    Verbatim,
    /// By an id of the gateway's.
    Own {
        /// The call's id, and its progress token where the client asked for progress.
        id: Id,
        /// The token that the client asked for progress under.
        token: Option<Id>,
        /// The least severe level of the log messages that the client asked for.
        level: Option<usize>,
    },
}

impl Ids {
    /// How this call of `caller` is named on `line`.
    pub(super) fn of(caller: &Caller, line: &Line, request: &Request) -> Self {
        if caller.session.is_some() {
            return Self::Verbatim;
        }
        let level = request.meta().and_then(|meta| meta.text(META_LOG_LEVEL));
        Self::Own {
            id: line.own_id(),
            token: request.progress_token(),
            level: level.and_then(|level| rank(&level)),
        }
    }

    /// The id of `request` on the line.
    pub(super) fn id<'a>(&'a self, request: &'a Request) -> &'a Id {
        match self {
            Self::Verbatim => &request.id,
            Self::Own { id, .. } => id,
        }
    }

    /// The progress token of `request` on the line.
    pub(super) fn token(&self, request: &Request) -> Option<Id> {
        match self {
            Self::Verbatim => request.progress_token(),
            Self::Own { id, token, .. } => token.as_ref().map(|_| id.clone()),
        }
    }

    /// Whether `id` is the call's on the line, but not the client's.
    pub(super) fn are_of(&self, id: &Id) -> bool {
        matches!(self, Self::Own { id: own, .. } if own == id)
    }

    /// The request as it goes on the line.
    pub(super) fn on_the_line(&self, request: &Request) -> Request {
        let mut request = request.clone();
        let Self::Own { id, token, .. } = self else {
            return request;
        };
        if token.is_some() {
            let mut meta = request.meta().unwrap_or_default();
            meta.set("progressToken", id.raw().to_owned());
            request.set_meta(&meta);
        }
        request.id = id.clone();
        request
    }

    /// What the client is to read of a message about the call; `None` for what it did not ask for.
    pub(super) fn message(&self, raw: Bytes) -> Option<Bytes> {
        let Self::Own { id, token, level } = self else {
            return Some(raw);
        };
        let Ok(Message::Notification(note)) = Message::parse(&raw) else {
            return None;
        };
        match note.method.as_str() {
            "notifications/progress" if note.progress_token().as_ref() == Some(id) => {
                renamed(note, token.as_ref()?)
            }
            "notifications/message" => wants(*level, &note).then_some(raw),
            _ => None, // not about this call
        }
    }
}

/// The same progress under the client's token.
fn renamed(mut note: Notification, token: &Id) -> Option<Bytes> {
    let params = note.params.as_mut()?;
    params.set("progressToken", token.raw().to_owned());
    Some(note.to_bytes().into())
}

/// Whether a client that asked for `level` and above wants this message.
fn wants(level: Option<usize>, note: &Notification) -> bool {
    let of = note.params.as_ref().and_then(|params| params.text("level"));
    let of = of.and_then(|of| rank(&of));
    level.is_some_and(|level| of.is_none_or(|of| of >= level))
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(level: Option<&str>) -> Ids {
        Ids::Own {
            id: Id::text("asyncmcp:1"),
            token: Some(Id::number(0)),
            level: level.and_then(rank),
        }
    }

    fn said(ids: &Ids, json: &str) -> Option<String> {
        let raw = Bytes::copy_from_slice(json.as_bytes());
        ids.message(raw)
            .map(|raw| String::from_utf8(raw.to_vec()).unwrap())
    }

    #[test]
    fn a_call_has_the_gateways_id_and_token_and_its_other_bytes() {
        let json = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","arguments":{ "n":1e400 },"_meta":{"progressToken":0,"v":{ }}}}"#;
        let Ok(Message::Request(request)) = Message::parse(json) else {
            panic!("a request")
        };
        let sent = own(None).on_the_line(&request).to_bytes();
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            r#"{"jsonrpc":"2.0","id":"asyncmcp:1","method":"tools/call","params":{"name":"t","arguments":{ "n":1e400 },"_meta":{"progressToken":"asyncmcp:1","v":{ }}}}"#
        );
        assert_eq!(Ids::Verbatim.on_the_line(&request).to_bytes(), json);
    }

    #[test]
    fn progress_comes_back_under_the_clients_token_and_no_other_calls_does() {
        let progress = |token: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1.0}}}}"#
            )
        };
        assert_eq!(said(&own(None), &progress("\"asyncmcp:1\"")), Some(progress("0")));
        assert_eq!(said(&own(None), &progress("\"asyncmcp:2\"")), None);
        assert_eq!(said(&own(None), &progress("0")), None);
        assert_eq!(said(&Ids::Verbatim, &progress("0")), Some(progress("0")));
    }

    #[test]
    fn log_messages_pass_from_the_level_that_was_asked_for_and_nothing_else_does() {
        let log = |level: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":1.0}}}}"#
            )
        };
        let warning = own(Some("warning"));
        assert_eq!(said(&warning, &log("error")), Some(log("error")));
        assert_eq!(said(&warning, &log("warning")), Some(log("warning")));
        assert_eq!(said(&warning, &log("info")), None);
        assert_eq!(said(&own(None), &log("emergency")), None, "nothing was asked for");
        let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        assert_eq!(said(&warning, changed), None);
    }
}
