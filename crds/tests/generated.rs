//! The generated files are current, small enough, and free of what this API avoids.

use std::path::Path;

use asyncmcp_crds::generate::{crd, generate};
use serde_json::Value;

/// Calls a function for each key of a value, with its path.
fn keys(value: &Value, path: &str, found: &mut impl FnMut(&str, &str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                found(path, name, field);
                keys(field, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, path, found)),
        _ => {}
    }
}

#[test]
fn generated_files_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let stale: Vec<_> = generate()
        .into_iter()
        .filter(|file| !file.matches_disk(&root))
        .map(|file| file.path)
        .collect();
    assert!(
        stale.is_empty(),
        "run `cargo run -p asyncmcp-crds --bin crdgen`; stale: {stale:?}"
    );
}

#[test]
fn the_crd_fits_into_an_annotation() {
    let yaml = &generate()[0].content;
    assert!(yaml.len() < 200 * 1024, "{} bytes", yaml.len());
}

#[test]
fn the_crd_stores_no_default_and_no_null() {
    keys(&crd(), "", &mut |path, name, _| {
        let is_field = path.ends_with(".properties");
        assert!(
            is_field || !["default", "nullable", "$ref", "oneOf", "anyOf"].contains(&name),
            "{path}.{name}"
        );
    });
}

#[test]
fn every_field_is_explained() {
    keys(&crd(), "", &mut |path, _, field| {
        if path.ends_with(".properties") && path.contains("properties.spec") {
            let text = field["description"].as_str().unwrap_or_default();
            assert!(text.len() > 10 && text.contains('.'), "{path}: {text:?}");
        }
    });
}

#[test]
fn every_list_text_and_map_is_bounded() {
    keys(&crd(), "", &mut |path, name, node| {
        if !path.contains("properties.spec") || name == "required" {
            return;
        }
        let bound = match node["type"].as_str() {
            Some("array") => "maxItems",
            Some("string") if node.get("enum").is_none() => "maxLength",
            Some("object") if node.get("additionalProperties").is_some() => "maxProperties",
            _ => return,
        };
        assert!(node[bound].is_u64(), "{path}.{name} has no {bound}");
    });
}
