//! The definition of McpWebhookRoute on a real API server: what it refuses and with which words, what it explains.
//!
//! Invariant: the fixtures are those that `validate` is tested with, so the two can never disagree unseen.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use asyncmcp_crds::fixtures;
use asyncmcp_tests::cluster::{Release, Space, path};
use asyncmcp_tests::command::run;
use serde_json::{Value, json};

const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mcpwebhookroutes.asyncmcp.dev";

#[tokio::test]
async fn the_api_server_refuses_and_accepts_what_the_fixtures_say() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("fixtures").await?;
    let routes = path("mcpwebhookroutes", &space.name, "");
    let mut wrong = Vec::new();
    for fixture in fixtures::all() {
        let said = space.cluster.dry_run(&routes, &fixture.object()).await?;
        let is_right = match (&fixture.api_server, &said) {
            (None, Ok(())) => true,
            (Some(expected), Err(message)) => message.contains(expected.as_str()),
            _ => false,
        };
        if !is_right {
            wrong.push(format!(
                "{}: expected {:?}, got {said:?}",
                fixture.title, fixture.api_server
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    space.done()
}

#[tokio::test]
async fn a_refusal_names_the_field() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("field").await?;
    let routes = path("mcpwebhookroutes", &space.name, "");
    for fixture in fixtures::all()
        .into_iter()
        .filter(|fixture| fixture.api_server.is_some())
    {
        let Err(message) = space.cluster.dry_run(&routes, &fixture.object()).await? else {
            continue; // the test above says so
        };
        let is_named = fixture.problems.keys().any(|field| names(&message, field));
        assert!(
            is_named,
            "{}: {message}\nnames none of {:?}",
            fixture.title, fixture.problems
        );
    }
    space.done()
}

/// A message names a field, or the one that holds it: a rule that compares two fields sits on their parent. One that sits on
/// the spec names the field itself, without its place in a list.
fn names(message: &str, field: &str) -> bool {
    let parent = field.rsplit_once(['.', '[']).map_or(field, |(parent, _)| parent);
    let below_spec = field.trim_start_matches("spec.");
    let in_any_item: String = below_spec
        .chars()
        .filter(|letter| !letter.is_ascii_digit())
        .collect();
    message.contains(field) || message.contains(parent) || message.contains(&in_any_item)
}

#[tokio::test]
async fn the_kind_of_store_of_a_live_route_is_fixed() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("kind").await?;
    let of = |store: Value| {
        let spec = json!({"servers": [{"name": "a", "url": "http://a.invalid/mcp"}], "store": store});
        let metadata = json!({"name": "kind"});
        json!({"apiVersion": "asyncmcp.dev/v1alpha1", "kind": "McpWebhookRoute", "metadata": metadata, "spec": spec})
    };
    space.apply(&of(json!({"memory": {}})).to_string())?;
    let said = space.apply_refused(&of(json!({"embedded": {}})).to_string())?;
    assert!(said.contains("spec") && said.contains("store"), "{said}");
    space.done()
}

#[tokio::test]
async fn kubectl_explains_every_field() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("explain").await?;
    let crd = space.cluster.find(CRD).await?.context("no definition")?;
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut fields = BTreeMap::new();
    walk("mwr", schema, &mut fields);
    assert!(fields.len() > 80, "found {} fields", fields.len());
    let silent: Vec<&String> = fields
        .iter()
        .filter(|(_, text)| text.is_empty())
        .map(|(field, _)| field)
        .collect();
    assert!(silent.is_empty(), "no text: {silent:?}");
    // kubectl remembers what a server offers; this makes it look again.
    run("kubectl", &["api-resources", "--api-group=asyncmcp.dev"])?;
    // It shows the schema that was walked: one look for each field that has fields is enough to see that it does.
    let has_fields = |field: &str| fields.keys().any(|below| below.starts_with(&format!("{field}.")));
    for (field, text) in fields.iter().filter(|(field, _)| has_fields(field)) {
        let said = run("kubectl", &["explain", field])?;
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&said).contains(&words(text)), "{field}: {said}");
    }
    space.done()
}

/// Every field below `schema` with its description. The fields of `metadata` are Kubernetes' own.
fn walk(at: &str, schema: &Value, fields: &mut BTreeMap<String, String>) {
    let item = if schema["items"].is_object() {
        &schema["items"]
    } else {
        schema
    };
    for (name, below) in item["properties"].as_object().into_iter().flatten() {
        if at == "mwr" && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
            continue;
        }
        let field = format!("{at}.{name}");
        let text = below["description"].as_str().unwrap_or_default();
        fields.insert(field.clone(), text.to_owned());
        walk(&field, below, fields);
    }
}

#[tokio::test]
async fn the_definition_is_established_with_its_names() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("names").await?;
    let crd = space.cluster.find(CRD).await?.context("no definition")?;
    for kind in ["Established", "NamesAccepted"] {
        let conditions = crd["status"]["conditions"].as_array().context("no conditions")?;
        let holds = |condition: &Value| condition["type"] == kind && condition["status"] == "True";
        assert!(conditions.iter().any(holds), "{kind}: {conditions:?}");
    }
    let by = ["mwr", "mcpwebhookroutes", "mcpwebhookroute", "asyncmcp"];
    assert!(by.iter().all(|name| space.kubectl(&["get", name]).is_ok()));
    space.done()
}
