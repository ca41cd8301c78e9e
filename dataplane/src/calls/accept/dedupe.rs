//! When two calls are the same call.
//!
//! [`super`] asks before acceptance, [`super::super::cancel`] to find the job of a JSON-RPC id. Invariant: a
//! key of one principal, or of one session without credentials, never meets another's.

use asyncmcp_delivery::job::Dedupe;
use asyncmcp_protocol::{Id, Request};
use sha2::{Digest as _, Sha256};

use super::named;
use crate::caller::respond::Error;
use crate::caller::{Caller, Scope};

/// The `_meta` key by which a client marks two calls as the same.
const META_KEY: &str = "dev.asyncmcp/idempotencyKey";

/// What identifies a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identifier {
    key: [u8; 32],
    /// How a cancellation names it, where that is not the key.
    name: Option<[u8; 32]>,
    label: &'static str,
}

impl Identifier {
    /// The client's idempotency key, else the JSON-RPC id, which a session uses once
    /// (2025-11-25, Basic: "MUST NOT have been previously used").
    pub(crate) fn of(caller: &Caller, request: &Request) -> Result<Self, Error> {
        let by_id = caller.scope.map(|scope| of_request(scope, &request.id));
        let meta = request.meta().unwrap_or_default();
        if meta.get(META_KEY).is_none() {
            return Ok(by_id.map_or_else(Self::of_nobody, Self::by_id));
        }
        let key = meta.text(META_KEY).filter(|key| !key.is_empty());
        let key = key.ok_or(Error::Params(
            "params._meta[\"dev.asyncmcp/idempotencyKey\"] must be a non-empty string",
        ))?;
        Ok(Self {
            // Modern callers without credentials are one owner.
            key: hash(&[
                "key",
                &caller.owner().map(|owner| owner.to_string()).unwrap_or_default(),
                &key,
            ]),
            name: by_id,
            label: "idempotency key",
        })
    }

    fn by_id(key: [u8; 32]) -> Self {
        Self {
            key,
            name: None,
            label: "JSON-RPC id",
        }
    }

    /// Without a scope and a key nothing ties two requests together: each is a call of its own.
    fn of_nobody() -> Self {
        Self {
            key: rand::random(),
            name: None,
            label: "call",
        }
    }

    /// How the store knows the call again, and another call under the same name.
    pub(crate) fn dedupe(&self, tool: &str, request: &Request) -> Dedupe {
        let arguments = request.arguments().map_or("", |arguments| arguments.get());
        // Another receiver is another call: its result would go to the first one only.
        let meta = request.meta().unwrap_or_default();
        let receiver = meta.get(named::META_KEY).map_or("", |receiver| receiver.get());
        Dedupe {
            key: self.key,
            fingerprint: hash(&[tool, arguments, receiver]),
        }
    }

    /// What a cancellation finds it by, beside the key that it was accepted under.
    pub(crate) fn name(&self) -> Option<[u8; 32]> {
        self.name
    }

    /// What a client calls it.
    pub(crate) fn label(&self) -> &'static str {
        self.label
    }
}

/// The key of the request `id` of the callers of `scope`. 5 is not "5", and "\u0061" is "a".
pub(crate) fn of_request(scope: Scope, id: &Id) -> [u8; 32] {
    let scope = u128::from_be_bytes(scope.0).to_string();
    match id.as_text() {
        Some(text) => hash(&["text", &scope, text]),
        None => hash(&["number", &scope, id.raw().get()]),
    }
}

/// SHA-256 over the parts, each behind its length, so that no two lists give the same bytes.
fn hash(parts: &[&str]) -> [u8; 32] {
    let hasher = parts.iter().fold(Sha256::new(), |hasher, part| {
        hasher
            .chain_update((part.len() as u64).to_be_bytes())
            .chain_update(part)
    });
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> Request {
        match asyncmcp_protocol::Message::parse(json.as_bytes()).unwrap() {
            asyncmcp_protocol::Message::Request(request) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    fn id(json: &str) -> Id {
        request(&format!(r#"{{"jsonrpc":"2.0","id":{json},"method":"ping"}}"#)).id
    }

    #[test]
    fn ids_are_told_apart_by_kind_and_session_and_not_by_their_escapes() {
        let key = |sid, json| of_request(Scope([sid; 16]), &id(json));
        assert_ne!(key(1, "5"), key(1, "\"5\""));
        assert_ne!(key(1, "5"), key(2, "5"));
        assert_eq!(key(1, r#""a""#), key(1, r#""\u0061""#));
    }

    #[test]
    fn another_tool_or_other_arguments_are_another_call() {
        let identifier = Identifier {
            key: [0; 32],
            name: None,
            label: "",
        };
        let call = |arguments| {
            let json =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{arguments}}}}}"#);
            request(&json)
        };
        let fingerprint = |tool, arguments| identifier.dedupe(tool, &call(arguments)).fingerprint;
        let first = fingerprint("t", r#""arguments":{"n":1}"#);
        assert_eq!(first, fingerprint("t", r#""x":0,"arguments":{"n":1}"#));
        for (tool, arguments) in [
            ("u", r#""arguments":{"n":1}"#),
            ("t", r#""arguments":{"n":1.0}"#),
            ("t", ""),
        ] {
            assert_ne!(first, fingerprint(tool, arguments), "{tool} {arguments}");
        }
    }
}
