//! A client's capabilities as a bit set, so that a session id can contain them in two bytes.
//!
//! Parsed at `initialize`, and declared to servers in the sessions that the gateway opens for the client.
//!
//! Invariant: one table maps bits to members; bits are never renumbered, because session ids remain valid across
//! releases.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::raw::{RawObject, raw};
use crate::tasks;

/// The tasks extension of 2026-07-28 (SEP-2663), which a client declares with each request.
pub const TASKS_EXTENSION: &[&str] = &["extensions", tasks::EXTENSION];

/// The member that each bit represents (2025-11-25, Lifecycle; 2026-07-28 the last).
const MEMBERS: [&[&str]; 15] = [
    &["roots"],
    &["roots", "listChanged"],
    &["sampling"],
    &["sampling", "context"],
    &["sampling", "tools"],
    &["elicitation"],
    &["elicitation", "form"],
    &["elicitation", "url"],
    &["tasks"],
    &["tasks", "list"],
    &["tasks", "cancel"],
    &["tasks", "requests", "sampling", "createMessage"],
    &["tasks", "requests", "elicitation", "create"],
    &["experimental"],
    TASKS_EXTENSION,
];

/// The capabilities that a client declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientCapabilities(u16);

impl ClientCapabilities {
    /// No capabilities: declared in the gateway's own sessions.
    pub const NONE: Self = Self(0);

    /// Creates the set of the member at `path` alone; empty if there is no such member.
    pub fn only(path: &[&str]) -> Self {
        let bit = MEMBERS.iter().position(|member| *member == path);
        Self(bit.map_or(0, |bit| 1 << bit))
    }

    /// Creates a set from its bits; unknown bits are dropped.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits & ((1 << MEMBERS.len()) - 1))
    }

    /// The bits, for storage.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Parses a `capabilities` object; members without a bit are ignored.
    pub fn parse(capabilities: &RawObject) -> Self {
        let bits = MEMBERS
            .iter()
            .enumerate()
            .filter(|(_, path)| declares(capabilities, path));
        Self(bits.fold(0, |set, (bit, _)| set | 1 << bit))
    }

    /// What a server may ask this client for: its roots, its model and its user.
    #[must_use]
    pub fn to_be_asked(self) -> Self {
        let may = |path: &[&str]| {
            matches!(path, ["roots"] | ["sampling" | "elicitation", ..]) // no list_changed: it is never passed on
        };
        let bits = MEMBERS.iter().enumerate().filter(|(_, path)| may(path));
        Self(self.0 & bits.fold(0, |set, (bit, _)| set | 1 << bit))
    }

    /// Whether the member at `path` is declared, as in `has(&["roots", "listChanged"])`.
    pub fn has(self, path: &[&str]) -> bool {
        MEMBERS
            .iter()
            .position(|member| *member == path)
            .is_some_and(|bit| self.0 & 1 << bit != 0)
    }

    /// The `capabilities` object.
    pub fn to_raw(self) -> Box<RawValue> {
        let declared = MEMBERS.iter().filter(|path| self.has(path));
        raw(&declared.fold(Map::new(), |mut object, path| {
            declare(&mut object, path);
            object
        }))
    }
}

/// A member counts if it is present and not `false` or `null`.
fn declares(object: &RawObject, path: &[&str]) -> bool {
    let [key, rest @ ..] = path else { return false };
    match object.get(key) {
        None => false,
        Some(value) if rest.is_empty() => !matches!(value.get(), "false" | "null"),
        Some(_) => matches!(object.object(key), Ok(Some(inner)) if declares(&inner, rest)),
    }
}

fn declare(object: &mut Map<String, Value>, path: &[&str]) {
    match path {
        [] => {}
        ["listChanged"] => drop(object.insert("listChanged".into(), Value::Bool(true))),
        [key, rest @ ..] => {
            let inner = object.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                declare(inner, rest);
            }
        }
    }
}
