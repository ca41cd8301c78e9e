//! Older definitions, made by taking fields out of the current one.

use super::*;
use serde_json::json;

fn current() -> Value {
    let crd = serde_json::to_value(McpWebhookRoute::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn without(paths: &[&str]) -> Value {
    let mut schema = current();
    for path in paths {
        let (object, field) = path.rsplit_once('/').unwrap();
        schema
            .pointer_mut(object)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(field)
            .unwrap();
    }
    schema
}

const SUMMARY: &str = "/properties/status/properties/summary";
const MESSAGE: &str = "/properties/status/properties/servers/items/properties/message";
const CLASS: &str = "/properties/spec/properties/operatorClass";

#[test]
fn a_current_definition_lacks_nothing_and_keeps_a_status_as_it_is() {
    let definition = Definition::default();
    definition.compare(&current());
    assert_eq!(definition.lack(), None);
    let status = json!({"anything": 1});
    assert_eq!(definition.known(status.clone()), status);
}

#[test]
fn what_an_older_definition_lacks_is_named_and_left_out_of_status() {
    let definition = Definition::default();
    definition.compare(&without(&[SUMMARY, MESSAGE, CLASS]));
    let lack = definition.lack().unwrap();
    assert!(
        lack.contains("it lacks spec.operatorClass, status.servers[].message, status.summary;"),
        "{lack}"
    );
    let status = json!({
        "conditions": [{"type": "Ready", "status": "True"}],
        "servers": [{"name": "a", "message": "gone"}],
        "summary": {"servers": "1/1"},
    });
    let known = json!({
        "conditions": [{"type": "Ready", "status": "True"}],
        "servers": [{"name": "a"}],
    });
    assert_eq!(definition.known(status), known);
    definition.compare(&current());
    assert_eq!(definition.lack(), None, "after it was upgraded");
}

#[test]
fn many_missing_fields_are_counted() {
    let definition = Definition::default();
    definition.compare(&json!({}));
    assert!(definition.lack().unwrap().contains(" more;"));
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&definition.collect())
        .unwrap();
    assert!(
        text.contains("definition_missing_fields ") && !text.contains("fields 0"),
        "{text}"
    );
}
