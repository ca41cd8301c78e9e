//! The members that describe a listed entry: those that no client could read are removed.
//!
//! The files of each kind of entry say which members it has and what they may look like. Invariant: a member that no client would refuse keeps its bytes; `null`, which some generators
//! write for what is absent, is no flaw.

use serde_json::value::RawValue;

use super::flaw::Flaw;
use crate::raw::RawObject;

/// Whether a value is one that clients can read.
pub(super) type IsValid = fn(&RawValue) -> bool;

/// Removes the members that clients cannot read; returns the first of them that was not `null`.
pub(super) fn correct(entry: &mut RawObject, members: &[(&'static str, IsValid)]) -> Option<Flaw> {
    let mut flaw = None;
    for (name, is_valid) in members {
        let Some(value) = entry.get(name).filter(|value| !is_valid(value)) else {
            continue;
        };
        let is_flaw = !is_null(value);
        if let Some(value) = without_nulls(value).filter(|value| is_valid(value)) {
            entry.set(name, value);
        } else {
            entry.remove(name);
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

pub(super) fn is_list_of_icons(value: &RawValue) -> bool {
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

pub(super) fn all_members(value: &RawValue, is_valid: impl Fn(&str, &RawValue) -> bool) -> bool {
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

pub(super) fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

pub(super) fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}
