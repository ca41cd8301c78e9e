//! Tests the table "live or roll" of ARCHITECTURE.md: which change of a route restarts its pods.

use super::{Plan, children};
use crate::route::fixture;
use serde_json::{Value, json};

const ARCHITECTURE: &str = include_str!("../../../../ARCHITECTURE.md");

/// A row's field, and a change of it: the path below `spec`, and the new value.
#[expect(clippy::too_many_lines, reason = "a table: one row after the other")]
fn rows() -> Vec<(&'static str, &'static str, Value)> {
    let signing = |name: &str| json!({"secretRefs": [{"name": name, "key": "secret"}]});
    let headers =
        |name: &str| json!([{"name": "X-Key", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}]);
    let server = |of_objects: Value| {
        let mut server = json!({"name": "b", "url": "https://b.example/mcp"});
        for (field, value) in of_objects.as_object().into_iter().flatten() {
            server[field] = value.clone();
        }
        json!([server])
    };
    let authority = json!([{"kind": "ConfigMap", "name": "another", "key": "ca.crt"}]);
    vec![
        (
            "`servers`",
            "servers",
            json!([{"name": "b", "url": "https://b.example/mcp", "toolPrefix": "b_", "failureMode": "FailClosed", "host": "localhost", "tls": {"serverName": "b"}}]),
        ),
        (
            "`servers[].headers`, `.bearerTokenSecretRef`: another Secret",
            "servers",
            server(
                json!({"headers": headers("another"), "bearerTokenSecretRef": {"name": "another", "key": "t"}}),
            ),
        ),
        (
            "`servers[].tls`: another Secret or ConfigMap",
            "servers",
            server(
                json!({"tls": {"caCertificateRefs": authority, "clientCertificateRef": {"name": "another"}}}),
            ),
        ),
        ("`webhookTools`", "webhookTools", json!([{"name": "other_*"}])),
        (
            "`transport`",
            "transport",
            json!({"path": "/tools", "timeout": "5s", "jsonResponse": true, "stateless": true}),
        ),
        (
            "`transport.tls`: another Secret",
            "transport",
            json!({"tls": {"certificateRef": {"name": "another"}}}),
        ),
        (
            "`auth.jwt`",
            "auth",
            json!({"jwt": [{"issuer": "https://auth.example.com", "audiences": ["a"]}]}),
        ),
        (
            "`auth.bearerSecretRefs`: another Secret",
            "auth",
            json!({"bearerSecretRefs": [{"name": "another", "key": "token"}]}),
        ),
        (
            "`webhook.timeout`, `.retry`, `.maxAge`",
            "webhook",
            json!({"timeout": "1s", "retry": {"max": 3}, "maxAge": "1h"}),
        ),
        (
            "`webhook.maxRunning`, `.maxResultSize`, `.perClient`, `.perReceiver`, `.resultRetention`, `.deadLetter`",
            "webhook",
            json!({
                "maxRunning": 1, "maxResultSize": "1Mi", "perClient": {"maxPending": 1},
                "perReceiver": {"maxInFlight": 1, "ratePerSecond": 1, "breaker": "Disabled"}, "resultRetention": "1h",
                "deadLetter": {"retention": "1h", "notify": {"url": "http://o.example/"}},
            }),
        ),
        (
            "`webhook.signing`: another Secret",
            "webhook",
            json!({"signing": signing("another")}),
        ),
        (
            "`webhook.receivers.fromClients`",
            "webhook",
            json!({"receivers": {"fromClients": {"policy": "Deny"}}}),
        ),
        (
            "`webhook.receivers.default`",
            "webhook",
            json!({"receivers": {"default": {"url": "http://r.example/"}}}),
        ),
        (
            "`webhook.receivers.default.headers`: another Secret",
            "webhook",
            json!({"receivers": {"default": {"url": "http://r.example/", "headers": headers("another")}}}),
        ),
        (
            "`webhook.deadLetter.notify.headers`: another Secret",
            "webhook",
            json!({"deadLetter": {"notify": {"url": "http://o.example/", "headers": headers("another")}}}),
        ),
        (
            "`store.embedded.size`",
            "store",
            json!({"embedded": {"size": "16Gi"}}),
        ),
        ("`deletion`", "deletion", json!({"policy": "Abandon"})),
        (
            "`telemetry`",
            "telemetry",
            json!({"otlp": {"endpoint": "http://otel.example:4318"}, "logLevel": "debug"}),
        ),
        (
            "`telemetry.otlp.headers`: another Secret",
            "telemetry",
            json!({"otlp": {"endpoint": "http://otel.example:4318", "headers": headers("another")}}),
        ),
        ("`operatorClass`", "operatorClass", json!("team-a")),
        ("`dataPlane.image`", "dataPlane", json!({"image": "other:1"})),
        (
            "`dataPlane.resources`",
            "dataPlane",
            json!({"resources": {"limits": {"memory": "2Gi"}}}),
        ),
        (
            "`dataPlane.terminationGracePeriod`",
            "dataPlane",
            json!({"terminationGracePeriod": "5m"}),
        ),
    ]
}

fn template(spec: &Value) -> String {
    let (valid, settings) = (fixture::valid(spec), fixture::settings());
    children(&Plan {
        valid: &valid,
        last: None,
        settings: &settings,
    })
    .template
}

#[test]
fn each_row_of_the_table_is_true_and_no_row_is_untested() {
    let before = template(&fixture::minimal());
    let mut stated = 0;
    for (field, path, value) in rows() {
        let mut spec = fixture::minimal();
        spec[path] = value;
        let effect = if template(&spec) == before {
            "live"
        } else {
            "rolls the pods"
        };
        assert!(
            ARCHITECTURE.contains(&format!("| {field} | {effect} |")),
            "ARCHITECTURE.md must contain: {field} | {effect}"
        );
        stated += 1;
    }
    let table = ARCHITECTURE
        .split("## Configuration: live or roll")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let tested = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(tested, stated, "a row of the table has no test case here");
}
