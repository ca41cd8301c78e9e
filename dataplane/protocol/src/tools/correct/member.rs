//! The members of a tool that describe it, and what they may look like.
//!
//! Called by [`super::correct`]. Invariant: a member that no client would refuse keeps its bytes; `null`, which some generators
//! write for what is absent, is no flaw.

use serde_json::value::RawValue;

use super::Flaw;
use crate::raw::RawObject;
use crate::tasks::Support;

/// Whether a value is one that clients can read.
type IsValid = fn(&RawValue) -> bool;

/// The members, and what they may look like.
const MEMBERS: [(&str, IsValid); 7] = [
    ("title", is_text),
    ("description", is_text),
    ("icons", is_list_of_icons),
    ("annotations", is_annotations),
    ("execution", is_execution),
    ("outputSchema", is_object),
    ("_meta", is_object),
];
const HINTS: [&str; 4] = [
    "readOnlyHint",
    "destructiveHint",
    "idempotentHint",
    "openWorldHint",
];

/// Removes the members that clients cannot read; returns the first of them that was not `null`.
pub(super) fn correct(tool: &mut RawObject) -> Option<Flaw> {
    let mut flaw = None;
    for (name, is_valid) in MEMBERS {
        let Some(value) = tool.get(name).filter(|value| !is_valid(value)) else {
            continue;
        };
        let is_flaw = !is_null(value);
        if let Some(value) = without_nulls(value).filter(|value| is_valid(value)) {
            tool.set(name, value);
        } else {
            tool.remove(name);
            flaw = flaw.or(is_flaw.then_some(Flaw::Member(name)));
        }
    }
    flaw
}

/// The object without its members that are `null`.
fn without_nulls(value: &RawValue) -> Option<Box<RawValue>> {
    let mut object = RawObject::parse(value.get().as_bytes()).ok()?;
    let nulls = object.iter().filter(|(_, value)| is_null(value));
    let nulls: Vec<_> = nulls.map(|(name, _)| name.to_owned()).collect();
    object.retain(|name| !nulls.iter().any(|null| null == name));
    Some(object.to_raw())
}

fn is_annotations(value: &RawValue) -> bool {
    all_members(value, |name, value| match name {
        "title" => is_text(value),
        name if HINTS.contains(&name) => matches!(value.get(), "true" | "false"),
        _ => true,
    })
}

fn is_execution(value: &RawValue) -> bool {
    all_members(value, |name, value| {
        name != "taskSupport" || serde_json::from_str(value.get()).is_ok_and(Support::is_known)
    })
}

fn is_list_of_icons(value: &RawValue) -> bool {
    list(value).is_some_and(|icons| icons.into_iter().all(is_icon))
}

fn is_icon(value: &RawValue) -> bool {
    let has_source = RawObject::parse(value.get().as_bytes()).is_ok_and(|icon| icon.get("src").is_some());
    has_source
        && all_members(value, |name, value| match name {
            "src" | "mimeType" => is_text(value),
            "sizes" => is_list_of_texts(value),
            "theme" => matches!(value.get(), "\"light\"" | "\"dark\""),
            _ => true,
        })
}

fn all_members(value: &RawValue, is_valid: impl Fn(&str, &RawValue) -> bool) -> bool {
    let object = RawObject::parse(value.get().as_bytes());
    object.is_ok_and(|object| object.iter().all(|(name, value)| is_valid(name, value)))
}

pub(super) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

pub(super) fn is_empty_list(value: &RawValue) -> bool {
    list(value).is_some_and(|values| values.is_empty())
}

pub(super) fn is_list_of_texts(value: &RawValue) -> bool {
    list(value).is_some_and(|values| values.into_iter().all(is_text))
}

fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}
