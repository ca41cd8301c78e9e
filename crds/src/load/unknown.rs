//! Finds the fields that the types do not know: those that are missing when the typed route is serialized again.
//!
//! Invariant: a field whose value is `null` does not count; Kubernetes drops those too.

use serde_json::Value;

use crate::v1alpha1::McpWebhookRoute;

/// The paths of unknown fields, in the order of the document.
pub(super) fn fields(given: &Value, route: &McpWebhookRoute) -> Vec<String> {
    let known = serde_json::to_value(route).expect("a route is made of plain values");
    let mut paths = Vec::new();
    collect(given, &known, "", &mut paths);
    paths
}

fn collect(given: &Value, known: &Value, path: &str, paths: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match known.get(name) {
                    Some(known) => collect(value, known, &path, paths),
                    None => paths.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (index, (given, known)) in given.iter().zip(known).enumerate() {
                collect(given, known, &format!("{path}[{index}]"), paths);
            }
        }
        _ => {}
    }
}
