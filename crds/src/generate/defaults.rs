//! The defaults by path, found by filling a spec that sets only required fields.
//!
//! Invariant: no default is defined here; they come from `effective::fill`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::tree;
use crate::effective;
use crate::v1alpha1::McpWebhookRouteSpec;

/// The fields that `fill` sets.
#[derive(Default)]
pub(super) struct Defaults {
    /// Plain values by path, as users write them.
    values: BTreeMap<String, String>,
    /// Paths of objects.
    objects: BTreeSet<String>,
}

/// The object that is a default as a whole: it applies only if the user sets none of it.
const WHOLE: &str = "spec.dataPlane.resources";

impl Defaults {
    /// Fills the smallest spec in which every field with a default occurs.
    pub(super) fn collect() -> Self {
        let sparse = json!({
            "servers": [{"name": "a", "service": {"name": "a", "port": 80}}],
            "webhookTools": [{"name": "a"}],
            "webhook": {"receivers": {"default": {"service": {"name": "a", "port": 80}}}},
            "telemetry": {"otlp": {"endpoint": "http://a"}},
        });
        let spec: McpWebhookRouteSpec =
            serde_json::from_value(sparse.clone()).expect("the sparse spec is a valid spec");
        let filled = serde_json::to_value(effective::fill(&spec)).expect("a spec is made of plain values");
        let mut defaults = Self::default();
        defaults.compare(&sparse, &filled, "spec");
        defaults
    }

    fn compare(&mut self, sparse: &Value, filled: &Value, path: &str) {
        match filled {
            value if path == WHOLE => {
                self.values.insert(path.to_owned(), notation(value));
            }
            Value::Object(fields) => {
                if sparse.is_null() {
                    self.objects.insert(path.to_owned());
                }
                for (name, field) in fields {
                    self.compare(&sparse[name], field, &tree::join(path, name));
                }
            }
            Value::Array(items) if sparse.is_array() => {
                self.compare(&sparse[0], &items[0], &format!("{path}[]"));
            }
            value if sparse.is_null() => {
                self.values.insert(path.to_owned(), notation(value));
            }
            _ => {}
        }
    }

    /// The default of a field with a plain value.
    pub(super) fn of(&self, path: &str) -> Option<&str> {
        self.values.get(path).map(String::as_str)
    }

    /// The member of a union that is used if none is set.
    pub(super) fn member_of(&self, path: &str) -> Option<&str> {
        let members = self
            .objects
            .iter()
            .filter_map(|object| object.strip_prefix(path)?.strip_prefix('.'));
        members.into_iter().find(|member| !member.contains('.'))
    }

    /// The paths of all fields with a default.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// A value as users write it in YAML.
fn notation(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(notation).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(name, value)| format!("{name}: {}", notation(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
