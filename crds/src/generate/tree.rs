//! Visits the fields of a schema, each with its path: `spec.servers[].service.port`.
//!
//! Invariant: fields are visited in the order of their names; the items of a list have its path followed by `[]`.

use serde_json::{Map, Value};

/// The schema of one field or object: keywords such as `type` and `properties`.
pub(super) type Node = Map<String, Value>;

/// Calls a function for a schema and then for every node below it.
pub(super) fn visit_mut(node: &mut Value, path: &str, visit: &mut impl FnMut(&str, &mut Node)) {
    let Some(schema) = node.as_object_mut() else {
        return;
    };
    visit(path, schema);
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, field) in fields {
            visit_mut(field, &join(path, name), visit);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        visit_mut(items, &format!("{path}[]"), visit);
    }
    if let Some(values) = schema.get_mut("additionalProperties") {
        visit_mut(values, &format!("{path}.*"), visit);
    }
}

/// The path of a field within an object.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
