//! Compares an untyped route with the schema: wrong types, missing fields and unknown fields, all of them at once.
//!
//! `load` calls it before it parses the types, whose parser stops at the first mistake and reports it in terms of Rust.
//!
//! Invariant: what it finds, the types refuse, too, or they do not know the field. It reads the same schema as the API
//! server (`generate::crd`), so that no field has its rules here.

mod suggest;
mod words;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::generate;
use crate::problem::Problem;

/// The schema of a route.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut crd = generate::crd();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
});

/// What was found in one document.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Fields with a value of the wrong type, and missing fields.
    pub(super) wrong: Vec<Problem>,
    /// Fields that this version does not know.
    pub(super) unknown: Vec<Problem>,
}

/// Compares a document whose `kind` is a route's.
pub(super) fn compare(route: &Value) -> Found {
    let mut found = Found::default();
    for (name, what) in [
        ("metadata", "write metadata: {name: ...}"),
        ("spec", "write spec: and, below it, servers:"),
    ] {
        match &route[name] {
            Value::Null => found.wrong(name, format!("is missing: {what}")),
            value if !value.is_object() => found.wrong(name, words::no_map(value, &["name"])),
            _ => {}
        }
    }
    let schema = &SCHEMA["properties"];
    found.known(route, &["apiVersion", "kind", "metadata", "spec", "status"], "");
    if route["spec"].is_object() {
        found.value(&route["spec"], &schema["spec"], "spec");
    }
    found
}

impl Found {
    fn wrong(&mut self, path: &str, message: String) {
        self.wrong.push(problem(path, message));
    }

    fn value(&mut self, value: &Value, schema: &Value, path: &str) {
        if schema["x-kubernetes-preserve-unknown-fields"] == true {
            return;
        }
        if schema["x-kubernetes-int-or-string"] == true {
            if let Some(message) = words::quantity(value) {
                self.wrong(path, message);
            }
            return;
        }
        match schema["type"].as_str() {
            Some("object") => self.object(value, schema, path),
            Some("array") => self.list(value, schema, path),
            Some("integer") => self.scalar(words::integer(value, schema), path),
            Some("boolean") => self.scalar(words::boolean(value), path),
            Some("string") => self.scalar(words::string(value, schema), path),
            _ => {}
        }
    }

    fn scalar(&mut self, message: Option<String>, path: &str) {
        if let Some(message) = message {
            self.wrong(path, message);
        }
    }

    fn list(&mut self, value: &Value, schema: &Value, path: &str) {
        let Some(items) = value.as_array() else {
            return self.wrong(path, words::no_list(value));
        };
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if item.is_null() {
                self.wrong(&path, "is empty: remove the entry or write its value".to_owned());
            } else {
                self.value(item, &schema["items"], &path);
            }
        }
    }

    fn object(&mut self, value: &Value, schema: &Value, path: &str) {
        let fields = fields(schema);
        let names: Vec<&str> = fields.keys().copied().collect();
        let Some(object) = value.as_object() else {
            return self.wrong(path, words::no_map(value, &names));
        };
        if schema["additionalProperties"].is_object() {
            return self.map(object, &schema["additionalProperties"], path);
        }
        self.known(value, &names, path);
        for required in schema["required"].as_array().into_iter().flatten() {
            let name = required.as_str().unwrap_or_default();
            if object.get(name).is_none_or(Value::is_null) {
                self.wrong(&join(path, name), "is missing".to_owned());
            }
        }
        // An empty value means that the field is absent, as it does for the API server.
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(schema) = fields.get(name.as_str()) {
                self.value(value, schema, &join(path, name));
            }
        }
    }

    fn map(&mut self, object: &Map<String, Value>, values: &Value, path: &str) {
        for (name, value) in object {
            self.value(value, values, &join(path, name));
        }
    }

    /// Reports the fields of an object that are none of `names`.
    fn known(&mut self, object: &Value, names: &[&str], path: &str) {
        let given = object.as_object().into_iter().flatten();
        for (name, _) in given.filter(|(name, value)| !value.is_null() && !names.contains(&name.as_str())) {
            let message = suggest::for_unknown(name, names, path, &SCHEMA);
            self.unknown.push(problem(&join(path, name), message));
        }
    }
}

fn fields(schema: &Value) -> BTreeMap<&str, &Value> {
    let properties = schema["properties"].as_object();
    let properties = properties.into_iter().flatten();
    properties.map(|(name, schema)| (name.as_str(), schema)).collect()
}

fn problem(path: &str, message: String) -> Problem {
    Problem {
        path: path.to_owned(),
        message,
        line: None,
    }
}

/// The path of a field in an object.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
