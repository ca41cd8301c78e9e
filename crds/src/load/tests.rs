//! The errors that users get for a file that is not a route.

use super::*;

const ROUTE: &str = "apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: quickstart}
spec:
  servers:
  - {name: a, url: http://127.0.0.1:18080/mcp}
";

#[track_caller]
fn refused(yaml: &str, parts: &[&str]) {
    let error = load(yaml, Unknown::Refuse).unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

#[test]
fn reads_yaml_and_the_same_as_json() {
    let yaml = load(ROUTE, Unknown::Refuse).unwrap();
    let json = load(&yaml.value.to_string(), Unknown::Refuse).unwrap();
    assert_eq!(yaml.route, json.route);
    assert_eq!(yaml.route.metadata.name.as_deref(), Some("quickstart"));
}

#[test]
fn an_empty_object_is_a_choice_and_an_empty_value_is_none() {
    let chosen = load(&format!("{ROUTE}  store: {{embedded: {{}}}}\n"), Unknown::Refuse)
        .unwrap()
        .route
        .spec;
    assert!(chosen.store.unwrap().embedded.is_some());
    let absent = load(
        &format!("{ROUTE}  store:\n  webhook: {{retry: }}\n"),
        Unknown::Refuse,
    )
    .unwrap()
    .route
    .spec;
    assert_eq!((absent.store, absent.webhook.unwrap().retry), (None, None));
}

#[test]
fn broken_yaml_names_the_line() {
    refused(
        &format!("{ROUTE}  store: {{embedded: \n  x: [1, 2\n"),
        &["invalid YAML", "line 8"],
    );
    refused(&format!("{ROUTE}\tstore: 1\n"), &["invalid YAML", "line 7"]);
}

#[test]
fn a_duplicate_key_is_refused() {
    refused(
        &format!("{ROUTE}  servers: []\n"),
        &["duplicate key \"servers\"", "line 7"],
    );
    refused(
        "{\"kind\": \"a\", \"kind\": \"b\"}",
        &["duplicate key \"kind\"", "line 1"],
    );
}

#[test]
fn tags_and_numbers_that_json_cannot_represent_are_refused() {
    refused(
        &format!("{ROUTE}  store: !embedded {{}}\n"),
        &["invalid YAML", "without a tag"],
    );
    refused(
        &format!("{ROUTE}  webhook: {{retry: {{max: .inf}}}}\n"),
        &["invalid YAML", "not a finite number"],
    );
}

#[test]
fn errors_about_wrong_types_and_missing_fields_contain_the_path() {
    refused(
        &format!("{ROUTE}  webhook: {{retry: {{max: many}}}}\n"),
        &["spec.webhook.retry.max: ", "\"many\""],
    );
    refused(
        &ROUTE.replace("name: a,", ""),
        &["spec.servers[0]: missing field `name`"],
    );
    refused(
        &ROUTE.replace("metadata: {name: quickstart}\n", ""),
        &["McpWebhookRoute: missing field `metadata`"],
    );
}

#[test]
fn unknown_fields_are_refused_or_reported_by_path() {
    let yaml = format!("{ROUTE}  transport: {{colour: red, timeout: 5s}}\n  extra: {{a: 1}}\n");
    let yaml = yaml.replace("name: a,", "name: a, uri: b,");
    refused(
        &yaml,
        &["unknown field spec.extra, spec.servers[0].uri, spec.transport.colour"],
    );
    let loaded = load(&yaml, Unknown::Report).unwrap();
    assert_eq!(
        loaded.unknown,
        ["spec.extra", "spec.servers[0].uri", "spec.transport.colour"]
    );
    assert_eq!(loaded.value["spec"]["extra"]["a"], 1);
}

#[test]
fn a_file_holds_one_route_among_other_documents() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\n";
    let loaded = load(&format!("---\n{secret}---\n{ROUTE}---\n"), Unknown::Refuse).unwrap();
    assert_eq!(loaded.route.metadata.name.as_deref(), Some("quickstart"));
    refused(
        &format!("{ROUTE}---\n{ROUTE}---\n{ROUTE}"),
        &["3 McpWebhookRoute documents"],
    );
    refused(secret, &["no McpWebhookRoute found"]);
    refused("", &["no McpWebhookRoute found"]);
    refused("just text", &["no McpWebhookRoute found"]);
}

#[test]
fn another_version_is_named() {
    let error = load(&ROUTE.replace("v1alpha1", "v1"), Unknown::Report).unwrap_err();
    assert_eq!(
        error.to_string(),
        "apiVersion: \"asyncmcp.dev/v1\" is not supported; set asyncmcp.dev/v1alpha1"
    );
    assert_eq!(error.reason(), "NotOneRoute");
}
