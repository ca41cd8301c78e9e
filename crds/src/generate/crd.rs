//! The CRD: the output of kube's derive macro, completed for readers and for the API server.
//!
//! Invariant: no stored default, and no nullable field: the API server drops nulls, so null means absent.

use kube_core::CustomResourceExt;
use serde_json::{Value, json};

use super::defaults::Defaults;
use super::tree::{self, Node};
use crate::v1alpha1::{self, McpWebhookRoute};
use crate::{API_VERSION, KIND, effective, form, summary};

/// The text before the default in a description.
pub(super) const DEFAULT: &str = "Default: ";

/// The `CustomResourceDefinition`, keys sorted.
pub fn crd() -> Value {
    let mut crd = serde_json::to_value(McpWebhookRoute::crd()).expect("a CRD is made of plain values");
    let defaults = Defaults::collect();
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["x-kubernetes-validations"] = json!(v1alpha1::object_rules());
    tree::visit_mut(schema, "", &mut |path, node| finish(path, node, &defaults));
    crd.sort_all_objects();
    crd
}

fn finish(path: &str, node: &mut Node, defaults: &Defaults) {
    node.remove("nullable");
    whole_numbers(node);
    let mut text = node
        .get("description")
        .and_then(Value::as_str)
        .map(unwrapped)
        .unwrap_or_default();
    let member = if is_union(node) {
        defaults.member_of(path)
    } else {
        None
    };
    if path == "spec.webhook.retry" {
        text = format!("{text} With the defaults: {}, without jitter.", default_retries());
    }
    if let Some(default) = defaults.of(path).or(member) {
        text = format!("{text} {DEFAULT}`{default}`.");
    }
    if !text.is_empty() {
        node.insert("description".to_owned(), text.into());
    }
}

/// How many retries there are by default, and how long they take.
fn default_retries() -> String {
    let servers = json!([{"name": "a", "url": "http://a"}]);
    let object = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "a"}, "spec": {"servers": servers}});
    let route: McpWebhookRoute = serde_json::from_value(object).expect("the smallest route is a route");
    summary::retry_total(&effective(&route).webhook.retry.waits)
}

/// Writes bounds without a fraction, and removes formats that Kubernetes does not know.
fn whole_numbers(node: &mut Node) {
    if node
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| format.starts_with("uint"))
    {
        node.remove("format");
    }
    for bound in ["minimum", "maximum"] {
        if let Some(number) = node.get(bound).and_then(Value::as_f64) {
            let whole = serde_json::from_str::<Value>(&format!("{number:.0}")).expect("a bound is a number");
            node.insert(bound.to_owned(), whole);
        }
    }
}

fn is_union(node: &Node) -> bool {
    let rules = node.get("x-kubernetes-validations").and_then(Value::as_array);
    let messages = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["message"].as_str());
    messages
        .into_iter()
        .any(|message| message.starts_with(form::ONE_OF))
}

/// A doc comment without the line breaks of its source; paragraphs are kept.
fn unwrapped(text: &str) -> String {
    let paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
