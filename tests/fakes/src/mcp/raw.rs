//! Parts of a message as they are written, for what parsing would change.
//!
//! Used by [`super`]. Invariant: nothing here reads a number.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The arguments of a call; `null` without any.
pub(super) fn arguments(call: &str) -> &str {
    let params = member(call, "params").unwrap_or_default();
    member(params, "arguments").unwrap_or("null")
}

/// A message without its arguments, whose numbers may be too large for a [`Value`]; null where it is no JSON.
pub(super) fn without_arguments(call: &str) -> Value {
    if member(call, "method").is_none() {
        return Value::Null;
    }
    let value = |object, name| member(object, name).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let params = member(call, "params").unwrap_or_default();
    json!({
        "id": value(call, "id"),
        "method": value(call, "method"),
        "params": {"name": value(params, "name"), "_meta": value(params, "_meta")},
    })
}

fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut members: HashMap<String, &'a RawValue> = serde_json::from_str(object).ok()?;
    members.remove(name).map(RawValue::get)
}
