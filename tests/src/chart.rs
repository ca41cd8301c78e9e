//! The chart, as `helm template` renders it.
//!
//! Invariant: every object of a rendering is here; helm's own checks, the schema among them, were passed.

use anyhow::{Context as _, Result};
use serde::Deserialize as _;
use serde_json::Value;

use crate::command;

/// Where the chart is, from the checkout.
pub const CHART: &str = "charts/asyncmcp";
/// The release that tests render.
pub const RELEASE: [&str; 4] = ["asyncmcp", CHART, "--namespace", "asyncmcp-system"];

/// The objects of a rendering.
pub struct Rendered(Vec<Value>);

/// Renders the chart with these values, each `path=value` as in `helm --set`.
pub fn render(values: &[&str]) -> Result<Rendered> {
    let flags = flags(values);
    let text = command::run("helm", &[&["template"], &RELEASE[..], &flags].concat())?;
    let documents = serde_yaml::Deserializer::from_str(&text);
    let objects: Result<Vec<Value>, _> = documents.map(Value::deserialize).collect();
    Ok(Rendered(
        objects?.into_iter().filter(|object| !object.is_null()).collect(),
    ))
}

/// What helm says to values that it refuses.
pub fn refused(values: &[&str]) -> Result<String> {
    command::refused("helm", &[&["template"], &RELEASE[..], &flags(values)].concat())
}

/// A file of the chart.
pub fn file(path: &str) -> Result<String> {
    std::fs::read_to_string(command::root().join(CHART).join(path)).with_context(|| path.to_owned())
}

/// A YAML file of the chart.
pub fn yaml(path: &str) -> Result<Value> {
    Ok(serde_yaml::from_str(&file(path)?)?)
}

fn flags<'a>(values: &[&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| ["--set", *value]).collect()
}

impl Rendered {
    /// Every object.
    pub fn all(&self) -> &[Value] {
        &self.0
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The object of this kind and name; it must be the only one.
    pub fn get(&self, kind: &str, name: &str) -> Result<&Value> {
        let of_kind = self.of_kind(kind).into_iter();
        let found: Vec<_> = of_kind
            .filter(|object| object["metadata"]["name"] == name)
            .collect();
        match found[..] {
            [object] => Ok(object),
            _ => anyhow::bail!(
                "{} objects {kind} {name}; there are: {:?}",
                found.len(),
                self.names()
            ),
        }
    }

    /// `Kind name` of every object, in order; with its namespace where it has another than the release's.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.0.iter().map(name).collect();
        names.sort();
        names
    }
}

fn name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&object["kind"]), text(&metadata["name"]));
    match metadata["namespace"].as_str() {
        None | Some("asyncmcp-system") => format!("{kind} {name}"),
        Some(other) => format!("{kind} {other}/{name}"),
    }
}
