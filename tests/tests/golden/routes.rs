//! The routes of earlier versions: what was valid is valid, and nothing of it is dropped.
//!
//! They are the valid ones of `crds/fixtures/` as they were. Invariant: `v1alpha1` only gains fields.

use std::path::Path;

use anyhow::{Context as _, Result};
use asyncmcp_crds::load::{Unknown, load};
use asyncmcp_crds::{fixtures, validate};
use serde_json::{Value, json};

const FILE: &str = "routes.json";

/// Writes today's into the directory of a version.
pub(crate) fn write(dir: &Path) -> Result<()> {
    let valid = fixtures::all().into_iter();
    let valid: Vec<Value> = valid
        .filter(|fixture| fixture.problems.is_empty() && fixture.api_server.is_none())
        .map(|fixture| fixture.object())
        .collect();
    Ok(std::fs::write(
        dir.join(FILE),
        serde_json::to_string_pretty(&valid)?,
    )?)
}

#[test]
fn every_route_that_was_valid_is_valid() -> Result<()> {
    for version in crate::versions()? {
        let text = std::fs::read_to_string(version.join(FILE))?;
        let routes: Vec<Value> = serde_json::from_str(&text)?;
        assert!(
            routes.len() >= 5,
            "{} routes of {}",
            routes.len(),
            version.display()
        );
        for route in routes {
            is_accepted(&route).with_context(|| format!("{}: {route}", version.display()))?;
        }
    }
    Ok(())
}

fn is_accepted(route: &Value) -> Result<()> {
    let loaded = load(&route.to_string(), Unknown::Refuse)?;
    validate(&loaded.route).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let kept = serde_json::to_value(&loaded.route)?;
    match changed(&route["spec"], &kept["spec"], "spec") {
        None => Ok(()),
        Some(what) => anyhow::bail!("{what}"),
    }
}

/// The first field that is not what was given. What is empty may be left out.
fn changed(given: &Value, kept: &Value, path: &str) -> Option<String> {
    let is_empty = match given {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match (given, kept) {
        (_, Value::Null) if is_empty => None,
        (Value::Object(fields), Value::Object(_)) => fields
            .iter()
            .find_map(|(name, value)| changed(value, &kept[name], &format!("{path}.{name}"))),
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .find_map(|(item, other)| changed(item, other, &format!("{path}[]"))),
        // A quantity may be written as a number.
        (Value::Number(number), Value::String(text)) if number.to_string() == *text => None,
        (given, kept) => (given != kept).then(|| format!("{path} became {kept}")),
    }
}

#[test]
fn a_field_that_is_dropped_or_changed_is_named() {
    let given = json!({"a": {"b": [{"c": 1}], "d": {}}, "e": 2});
    let with = |kept: Value| changed(&given, &kept, "spec");
    assert_eq!(with(json!({"a": {"b": [{"c": 1}]}, "e": "2", "new": true})), None);
    assert!(with(json!({"a": {"b": [{}]}, "e": 2})).is_some_and(|what| what.starts_with("spec.a.b[].c")));
    assert!(with(json!({"a": {"b": []}, "e": 2})).is_some());
    assert!(with(json!({"a": {"b": [{"c": 1}]}, "e": 3})).is_some());
}
