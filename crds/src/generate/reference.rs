//! The reference page: one table per section, one row per field of the CRD.
//!
//! Invariant: made from the complete CRD, so that it says the same as `kubectl explain`.

use std::fmt::Write as _;

use serde_json::Value;

use super::crd::DEFAULT;

const HEAD: &str = "<!-- Generated from crds/src by `cargo run -p asyncmcp-crds --bin crdgen`. Do not edit. -->\n\n\
# McpWebhookRoute\n\n\
`apiVersion: asyncmcp.dev/v1alpha1`, `kind: McpWebhookRoute`, short name `mwr`. \
`kubectl explain mwr.spec` shows the same texts.\n\n\
- A duration is one to four numbers with a unit `h`, `m`, `s` or `ms`: `30s`, `1h30m` (GEP-2257).\n\
- A size is a Kubernetes quantity in bytes: `16Mi`, `8Gi`.\n\
- A reference is to an object in the route's own namespace.\n\
- `metadata.name` has at most 40 characters, because names of other objects are derived from it.\n\
- `*` after a field: the field is required.\n";

/// Writes the page.
pub(super) fn page(crd: &Value) -> String {
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut page = HEAD.to_owned();
    for part in ["spec", "status"] {
        section(&mut page, part, &schema["properties"][part]);
    }
    page
}

/// Writes a heading, the description of an object, a table of its fields, and then the objects in it.
fn section(page: &mut String, path: &str, node: &Value) {
    write(page, format_args!("\n## {path}\n\n{}\n\n", text(node).0));
    write(
        page,
        format_args!("| field | type | default | meaning |\n|---|---|---|---|\n"),
    );
    let fields = node["properties"].as_object();
    for (name, field) in fields.into_iter().flatten() {
        row(page, name, field, is_required(node, name));
    }
    for (name, field) in fields.into_iter().flatten() {
        let (suffix, inner) = if field["items"].is_object() {
            ("[]", &field["items"])
        } else {
            ("", field)
        };
        if inner["properties"].is_object() {
            section(page, &format!("{path}.{name}{suffix}"), inner);
        }
    }
}

fn row(page: &mut String, name: &str, field: &Value, required: bool) {
    let (meaning, default) = text(field);
    let (star, kind) = (if required { " *" } else { "" }, kind(field));
    let meaning = meaning.replace('|', "\\|").replace("\n\n", "<br>");
    write(
        page,
        format_args!("| `{name}`{star} | {kind} | {default} | {meaning} |\n"),
    );
}

fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to memory does not fail");
}

/// The description, and the default that the generator appended to it.
fn text(node: &Value) -> (&str, &str) {
    let description = node["description"].as_str().unwrap_or_default();
    match description.rsplit_once(DEFAULT) {
        Some((text, default)) => (text.trim_end(), default.trim_end_matches('.')),
        None => (description, ""),
    }
}

fn is_required(node: &Value, name: &str) -> bool {
    node["required"]
        .as_array()
        .is_some_and(|required| required.iter().any(|field| field == name))
}

/// The type in terms of this API.
fn kind(field: &Value) -> String {
    if let Some(values) = field["enum"].as_array() {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return values.iter().map(text).collect::<Vec<_>>().join(", ");
    }
    match field["type"].as_str() {
        Some("array") => format!("list of {}", kind(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map of {}", kind(&field["additionalProperties"]))
        }
        Some("string") if field["format"] == "date-time" => "time".to_owned(),
        Some("string") if is_duration(field) => "duration".to_owned(),
        Some(other) => other.to_owned(),
        None => "quantity".to_owned(),
    }
}

fn is_duration(field: &Value) -> bool {
    let rules = field["x-kubernetes-validations"].as_array();
    rules.into_iter().flatten().any(|rule| {
        rule["rule"]
            .as_str()
            .is_some_and(|cel| cel.contains("duration(self)"))
    })
}
