//! Compares structural schemas, and prunes a value to one. Pure; called by `definition`.
//!
//! Invariant: a field that a schema preserves without knowing it counts as known.

use serde_json::Value;

/// The fields of `ours` that `theirs` does not have, by path. Below a missing field nothing more is listed.
pub(super) fn missing(ours: &Value, theirs: &Value, path: &str) -> Vec<String> {
    if keeps_all(theirs) {
        return Vec::new();
    }
    let properties = ours["properties"].as_object().into_iter().flatten();
    let of_properties = properties.flat_map(|(name, field)| {
        let path = format!("{path}.{name}");
        match theirs["properties"].get(name) {
            Some(known) => missing(field, known, &path),
            None => vec![path],
        }
    });
    let of_items = ours
        .get("items")
        .map(|items| missing(items, &theirs["items"], &format!("{path}[]")));
    of_properties.chain(of_items.into_iter().flatten()).collect()
}

/// The value without the fields that the schema does not know.
pub(super) fn known(value: Value, schema: &Value) -> Value {
    match value {
        Value::Object(fields) if !keeps_all(schema) => {
            let known = fields
                .into_iter()
                .filter_map(|(name, field)| {
                    let schema = schema["properties"].get(&name)?;
                    Some((name, known(field, schema)))
                })
                .collect();
            Value::Object(known)
        }
        Value::Array(items) => items
            .into_iter()
            .map(|item| known(item, &schema["items"]))
            .collect(),
        other => other,
    }
}

/// A map, or an object whose unknown fields are preserved.
fn keeps_all(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true || schema.get("additionalProperties").is_some()
}
