//! The route document that the operator writes for the pods, and its hash.
//!
//! Invariant: it is built from untyped values, so that an operator older than the CRD drops no field. It contains only
//! what the user wrote: with status or a resource version in it, every write would cause another.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The document of a route: `{apiVersion, kind, metadata{name, namespace, uid, deletionTimestamp}, spec}`. Metadata
/// fields that the object does not have are omitted.
pub fn document(object: &Value) -> Value {
    let metadata: Map<String, Value> = ["name", "namespace", "uid", "deletionTimestamp"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), object["metadata"].get(field)?.clone())))
        .collect();
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": metadata,
        "spec": object["spec"],
    })
}

/// Identifies the configuration that pods can apply without being replaced: the hexadecimal SHA-256 of the canonical
/// document without `spec.dataPlane`, `spec.expose` and `spec.operatorClass`.
pub fn config_hash(document: &Value) -> String {
    let mut served = document.clone();
    if let Some(spec) = served["spec"].as_object_mut() {
        spec.remove("dataPlane");
        spec.remove("expose");
        spec.remove("operatorClass");
    }
    Sha256::digest(canonical(&served))
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// JSON without white space and with sorted keys, so that equal documents have equal text.
pub fn canonical(value: &Value) -> String {
    let mut sorted = value.clone();
    // `serde_json` keeps insertion order if any package in the build enables that feature.
    sorted.sort_all_objects();
    sorted.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(spec: &Value) -> Value {
        json!({
            "kind": "McpWebhookRoute",
            "apiVersion": "asyncmcp.dev/v1alpha1",
            "metadata": {"uid": "u", "name": "n", "namespace": "ns", "resourceVersion": "7", "labels": {"a": "b"}},
            "spec": spec,
            "status": {"configHash": "x"},
        })
    }

    #[test]
    fn the_document_contains_only_what_the_user_wrote() {
        let document = document(&object(&json!({"from": {"the": "future"}})));
        assert_eq!(
            canonical(&document),
            r#"{"apiVersion":"asyncmcp.dev/v1alpha1","kind":"McpWebhookRoute","metadata":{"name":"n","namespace":"ns","uid":"u"},"spec":{"from":{"the":"future"}}}"#
        );
    }

    #[test]
    fn the_hash_covers_everything_except_what_pods_do_not_read() {
        let hash = |spec: Value| config_hash(&document(&object(&spec)));
        let plain = hash(json!({"servers": []}));
        assert_eq!(
            plain,
            hash(json!({"servers": [], "dataPlane": {"image": "x"}, "expose": {}, "operatorClass": "a"}))
        );
        assert_ne!(plain, hash(json!({"servers": [], "new": {}})));
        assert_eq!(plain.len(), 64);
    }

    #[test]
    fn deleting_a_route_changes_its_hash() {
        let mut deleted = object(&json!({}));
        deleted["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
        assert_ne!(
            config_hash(&document(&deleted)),
            config_hash(&document(&object(&json!({}))))
        );
    }
}
