//! Every YAML block is a valid route, a part of one, values of the chart, or an object that Kubernetes knows.
//!
//! Invariant: a misspelt field fails, wherever it is.

use anyhow::{Context as _, Result, bail};
use asyncmcp_crds::{Unknown, load, validate};
use asyncmcp_tests::{chart, pages};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

#[test]
fn every_yaml_block_is_valid() -> Result<()> {
    let mut count = 0;
    for page in pages::all()? {
        for block in page.blocks().iter().filter(|block| block.language == "yaml") {
            for document in block.text.split("\n---\n") {
                check(document)
                    .with_context(|| format!("{}, {:?}:\n{document}", page.path.display(), block.section))?;
                count += 1;
            }
        }
    }
    assert!(count > 10, "{count} documents");
    Ok(())
}

fn check(text: &str) -> Result<()> {
    let document: Value = serde_yaml::from_str(text)?;
    match document["kind"].as_str() {
        Some("McpWebhookRoute") => route(text),
        Some("Secret") => object::<Secret>(&document),
        Some("ConfigMap") => object::<ConfigMap>(&document),
        Some("Ingress") => object::<Ingress>(&document),
        Some("NetworkPolicy") => object::<NetworkPolicy>(&document),
        Some(kind) => bail!("add {kind} to this test"),
        None => part(document.as_object().context("not a mapping")?),
    }
}

fn route(text: &str) -> Result<()> {
    let loaded = load(text, Unknown::Refuse)?;
    validate(&loaded.route).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

/// The type leaves out what it does not know.
fn object<T: DeserializeOwned + Serialize>(document: &Value) -> Result<()> {
    let typed: T = serde_json::from_value(document.clone())?;
    let known = serde_json::to_value(&typed)?;
    anyhow::ensure!(&known == document, "Kubernetes reads it as {known}");
    Ok(())
}

/// A part of a route's spec, or of the chart's values.
fn part(fields: &Map<String, Value>) -> Result<()> {
    let values = chart::yaml("values.yaml")?;
    if fields.keys().all(|name| values.get(name).is_some()) {
        return known("", &Value::Object(fields.clone()), &values);
    }
    let mut spec = json!({"servers": [{"name": "example", "url": "https://mcp.example.com/mcp"}]});
    for (name, value) in fields {
        spec[name] = value.clone();
    }
    let metadata = json!({"name": "page"});
    let whole = json!({"apiVersion": "asyncmcp.dev/v1alpha1", "kind": "McpWebhookRoute", "metadata": metadata, "spec": spec});
    route(&whole.to_string())
}

/// Every value that is set exists in the chart.
fn known(path: &str, given: &Value, values: &Value) -> Result<()> {
    let Value::Object(fields) = given else {
        return Ok(());
    };
    for (name, given) in fields {
        let path = format!("{path}.{name}");
        let value = values.get(name);
        // An empty mapping takes whatever the user puts in.
        if values.as_object().is_some_and(Map::is_empty) {
            return Ok(());
        }
        known(
            &path,
            given,
            value.with_context(|| format!("the chart has no value {path}"))?,
        )?;
    }
    Ok(())
}
