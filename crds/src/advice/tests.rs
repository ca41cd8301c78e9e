//! Each piece of advice, and routes that get none.

use serde_json::{Value, json};

use super::*;
use crate::load::{Unknown, from_value};
use crate::{API_VERSION, KIND, effective};

/// The paths and messages of the advice about a spec.
fn about(spec: &Value) -> Vec<String> {
    let metadata = json!({"name": "a"});
    let object = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec});
    let route = from_value(object, Unknown::Refuse).unwrap().route;
    crate::validate(&route).unwrap();
    let advice = advice(&effective(&route));
    advice.iter().map(ToString::to_string).collect()
}

/// A route about which there is nothing to say, with these changes.
fn changed(changes: &[(&str, Value)]) -> Value {
    let mut spec = json!({
        "servers": [{"name": "a", "url": "http://a/mcp"}],
        "webhookTools": [{"name": "run"}],
        "webhook": {
            "signing": {"secretRefs": [{"name": "s", "key": "k"}]},
            "receivers": {
                "fromClients": {"allowedHosts": ["hooks.example.com"]},
                "default": {"url": "http://127.0.0.1:1/hook"},
            },
        },
    });
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = spec.pointer_mut(parent).unwrap();
        match parent {
            Value::Object(fields) => drop(fields.insert(name.to_owned(), value.clone())),
            other => unreachable!("{other}"),
        }
    }
    spec
}

#[test]
fn an_ordinary_route_and_a_plain_gateway_get_none() {
    assert_eq!(about(&changed(&[])), Vec::<String>::new());
    let gateway = json!({"servers": [{"name": "a", "url": "http://a/mcp"}], "store": {"memory": {}}});
    assert_eq!(about(&gateway), Vec::<String>::new());
}

/// One mistake, and the advice about it: its field, and a part of the message.
fn holds(change: &(&str, Value), path: &str, part: &str) {
    let said = about(&changed(std::slice::from_ref(change)));
    assert!(
        said.len() == 1 && said[0].starts_with(&format!("{path}: ")) && said[0].contains(part),
        "{change:?}: {said:?}"
    );
}

#[test]
fn each_mistake_is_named_by_its_field() {
    let server = json!([{"name": "a", "url": "http://a:1"}]);
    let tiny = json!({"embedded": {"size": "1Mi"}});
    for (pointer, value, path, part) in [
        ("/servers", server, "spec.servers[0].url", "/mcp"),
        (
            "/webhook/signing",
            Value::Null,
            "spec.webhook.signing",
            "not signed",
        ),
        (
            "/webhook/maxResultSize",
            json!("16"),
            "spec.webhook.maxResultSize",
            "16 bytes",
        ),
        (
            "/webhook/maxResultSize",
            json!("2Gi"),
            "spec.webhook.maxResultSize",
            "2 GiB",
        ),
        ("/store", tiny, "spec.store.embedded.size", "unit"),
        ("/store", json!({"memory": {}}), "spec.store.memory", "lost"),
        (
            "/webhook/retry",
            json!({"max": 2}),
            "spec.webhook.retry",
            "2 retries within 3 s",
        ),
        ("/webhook/maxAge", json!("1h"), "spec.webhook.retry", "8 h 16 min"),
    ] {
        holds(&(pointer, value), path, part);
    }
}

#[test]
fn lists_that_allow_too_much_or_nothing_are_named() {
    let lists = |hosts: &[&str], ranges: &[&str]| json!({"allowedHosts": hosts, "allowedCidrs": ranges});
    let denied = json!({"policy": "Deny", "allowedHosts": ["a.example"]});
    for (value, field, part) in [
        (lists(&["*.com"], &[]), "allowedHosts[0]", ".com"),
        (lists(&["127.0.0.1"], &[]), "allowedHosts[0]", "127.0.0.1/32"),
        (lists(&[], &["0.0.0.0/0"]), "allowedCidrs[0]", "this machine"),
        (lists(&[], &["::/0"]), "allowedCidrs[0]", "this machine"),
        (lists(&[], &["10.0.0.1/8"]), "allowedCidrs[0]", "10.0.0.0/8"),
        (denied, "policy", "no effect"),
    ] {
        let path = format!("spec.webhook.receivers.fromClients.{field}");
        holds(&("/webhook/receivers/fromClients", value), &path, part);
    }
}

#[test]
fn tools_whose_results_can_go_nowhere_are_named() {
    let receivers = |given: Value| changed(&[("/webhook/receivers", given)]);
    assert!(about(&receivers(json!({})))[0].contains("no receiver can be used"));
    let denied = about(&receivers(json!({"fromClients": {"policy": "Deny"}})));
    assert!(denied[0].contains("no receiver can be used"), "{denied:?}");
    let covered = json!({"fromClients": {"allowedHosts": ["127.0.0.1"], "allowedCidrs": ["127.0.0.0/8"]}});
    assert_eq!(about(&receivers(covered)), Vec::<String>::new());
}
