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

/// A line of the spec, and what is said about it.
const MISTAKES: [(&str, &str); 22] = [
    (
        "webhook: {timeout: 30}",
        "spec.webhook.timeout: must be a duration with a unit, for example 30s for seconds",
    ),
    ("webhook: {timeout: 1d}", "did you mean 24h?"),
    ("webhook: {timeout: 30sec}", "did you mean 30s?"),
    ("webhook: {timeout: 1.5h}", "did you mean 1h30m?"),
    ("webhook: {maxAge: 1 week}", "did you mean 168h?"),
    ("webhook: {maxResultSize: 8GB}", "did you mean 8Gi?"),
    (
        "webhook: {maxResultSize: 0.5}",
        "put a fraction in quotes, as \"0.5\"",
    ),
    (
        "webhook: {retry: {max: many}}",
        "spec.webhook.retry.max: must be a whole number from 0 to 50, but is the text \"many\"",
    ),
    (
        "webhook: {retry: {max: '8'}}",
        "must be a whole number from 0 to 50; remove the quotes",
    ),
    (
        "webhook: {retry: {max: -1}}",
        "must be a whole number from 0 to 50, but is -1",
    ),
    (
        "transport: {jsonResponse: 'no'}",
        "spec.transport.jsonResponse: must be true or false, without quotes",
    ),
    (
        "transport: {path: 8080}",
        "must be text: put it in quotes, as \"8080\"",
    ),
    (
        "webhookTools: {name: batch}",
        "spec.webhookTools: must be a list (write - before each entry), but is a map",
    ),
    (
        "webhookTools: [batch]",
        "spec.webhookTools[0]: must be a map with fields such as maxConcurrent, name and onInterruption",
    ),
    (
        "webhookTools: [{timeout: 1s}]",
        "spec.webhookTools[0].name: is missing",
    ),
    (
        "webhookTools: [{name: a, onInterruption: retry}]",
        "must be one of Fail, Retry, Auto; did you mean Retry?",
    ),
    ("webhookTools: [{name: a, }, ]", ""),
    (
        "webhookTool: []",
        "spec.webhookTool: unknown field; did you mean webhookTools?",
    ),
    (
        "webhook_tools: []",
        "spec.webhook_tools: unknown field; did you mean webhookTools?",
    ),
    (
        "retry: {max: 1}",
        "spec.retry: unknown field here; it belongs at spec.webhook.retry",
    ),
    (
        "colour: red",
        "spec.colour: unknown field; check the spelling and the indentation",
    ),
    (
        "webhookTools: [{name: *_batch}]",
        "put a value that begins with * in quotes",
    ),
];

#[test]
fn each_mistake_is_named_with_its_fix_and_its_line() {
    for (line, expected) in MISTAKES {
        let yaml = format!("{ROUTE}  {line}\n");
        match load(&yaml, Unknown::Refuse).map_err(|error| error.to_string()) {
            Ok(_) => assert_eq!(expected, "", "{line}"),
            Err(error) => {
                assert!(
                    !expected.is_empty() && error.contains(expected),
                    "{line}: {error}"
                );
                assert!(error.contains("line 7"), "{line}: {error}");
                assert!(!error.contains("struct") && !error.contains("u32"), "{error}");
            }
        }
    }
}

#[test]
fn all_mistakes_are_named_at_once_in_the_order_of_the_text() {
    let yaml = format!("{ROUTE}  webhook: {{timeout: 30}}\n  webhookTool: []\n  transport: [1]\n");
    let error = load(&yaml.replace("name: a,", ""), Unknown::Refuse).unwrap_err();
    assert_eq!(error.reason(), "InvalidField");
    let error = error.to_string();
    let found: Vec<_> = error
        .split("; line ")
        .map(|part| part.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        found,
        [
            "line 6 spec.servers[0].name",
            "7 spec.webhook.timeout",
            "8 spec.webhookTool",
            "9 spec.transport"
        ],
        "{error}"
    );
}

#[test]
fn what_lacks_its_beginning_is_named() {
    refused(
        &ROUTE.replace("metadata: {name: quickstart}\n", ""),
        &["metadata: is missing: write metadata: {name: ...}"],
    );
    refused(
        &ROUTE.replace("spec:", "sepc:"),
        &["spec: is missing", "sepc: unknown field; did you mean spec?"],
    );
    refused(
        &ROUTE.replace("apiVersion: asyncmcp.dev/v1alpha1\n", ""),
        &["apiVersion: is missing"],
    );
    refused(
        &ROUTE.replace("kind: Mcp", "kind: MCP"),
        &["no McpWebhookRoute found, but kind MCPWebhookRoute"],
    );
    refused(
        "kind: List\nitems: []\n",
        &["but a kind List", "a file of its own"],
    );
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert!(load(&format!("\u{feff}{ROUTE}"), Unknown::Refuse).is_ok());
}

/// The comparison with the schema refuses nothing that the types take.
#[test]
fn what_the_types_take_has_no_mistake() {
    for fixture in crate::fixtures::all() {
        let parsed = serde_json::from_value::<McpWebhookRoute>(fixture.object());
        let found = shape::compare(&fixture.object());
        assert!(
            parsed.is_err() || found.wrong.is_empty(),
            "{}: {found:?}",
            fixture.title
        );
        assert!(found.unknown.is_empty(), "{}: {found:?}", fixture.title);
    }
}

#[test]
fn unknown_fields_are_refused_or_reported_by_path() {
    let yaml = format!("{ROUTE}  transport: {{colour: red, timeout: 5s}}\n  extra: {{a: 1}}\n");
    let yaml = yaml.replace("name: a,", "name: a, uri: b,");
    refused(
        &yaml,
        &[
            "spec.extra: unknown field",
            "spec.servers[0].uri: unknown field; did you mean url?",
            "spec.transport.colour: unknown",
        ],
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
