//! Every default that the API promises, and a test that `effective` does not fail for any route.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::load::{Unknown, from_value};
use crate::{API_VERSION, KIND, validate};

fn read(spec: &Value) -> McpWebhookRoute {
    let metadata = json!({"name": "analytics", "namespace": "tools"});
    let object = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec});
    from_value(object, Unknown::Refuse).unwrap().route
}

fn meaning(spec: &Value) -> Route {
    effective(&read(spec))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_smallest_route_gets_every_default() {
    let route = meaning(
        &json!({"servers": [{"name": "a", "url": "http://a/mcp"}], "webhookTools": [{"name": "run"}]}),
    );
    assert_eq!(
        (
            route.name.as_str(),
            route.namespace.as_str(),
            route.uid,
            route.deleting
        ),
        ("analytics", "tools", None, false)
    );
    let server = &route.servers[0];
    assert_eq!(
        (
            server.timeout,
            server.max_response_size,
            server.max_concurrent_jobs,
            server.max_queued_jobs
        ),
        (seconds(30), 16 << 20, 16, 100_000)
    );
    assert_eq!(route.webhook_tools[0].timeout, seconds(3600));
    assert_eq!(route.webhook_tools[0].on_interruption, OnInterruption::Fail);
    assert_eq!(route.webhook_tools[0].max_concurrent, None);
    assert_eq!(route.transport, transport_defaults());
    assert_eq!(route.webhook, webhook_defaults());
    assert_eq!(route.store, Store::Embedded(store_defaults()));
    assert_eq!(
        route.deletion,
        Deletion {
            policy: DeletionPolicy::Drain,
            timeout: seconds(600)
        }
    );
    let (pods, telemetry) = (route.data_plane, route.telemetry);
    assert_eq!(
        (pods.image, pods.resources, pods.termination_grace_period),
        (None, resources_defaults(), seconds(60))
    );
    assert_eq!(
        (telemetry.otlp, telemetry.sampling_percent, telemetry.log_level),
        (None, 100, LogLevel::Info)
    );
}

fn resources_defaults() -> Resources {
    let resources = json!({"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}});
    serde_json::from_value(resources).unwrap()
}

#[test]
fn resources_that_a_route_sets_are_all_it_gets() {
    for resources in [json!({}), json!({"requests": {"memory": "2Gi"}})] {
        let spec =
            json!({"servers": [{"name": "a", "url": "http://a/mcp"}], "dataPlane": {"resources": resources}});
        let got = serde_json::to_value(meaning(&spec).data_plane.resources).unwrap();
        assert_eq!(got, resources);
    }
}

fn transport_defaults() -> Transport {
    Transport {
        path: "/mcp".to_owned(),
        json_response: false,
        timeout: seconds(30),
        lifetime: seconds(168 * 3600),
        stateless: false,
        allowed_origins: vec![],
        hostnames: vec![],
        certificate: None,
        trusted_proxies: Vec::new(),
        max_request_size: 4 << 20,
    }
}

fn webhook_defaults() -> Webhook {
    let waits = Waits::Exponential {
        retries: 16,
        initial: seconds(1),
        max: seconds(7200),
        jitter_percent: 20,
    };
    let from_clients = FromClients {
        policy: ReceiverPolicy::Allowlist,
        allowed_hosts: vec![],
        allowed_cidrs: vec![],
        schemes: vec![Scheme::Https],
    };
    Webhook {
        timeout: seconds(30),
        retry: Retry {
            waits,
            retry_after_max: seconds(3600),
        },
        max_age: seconds(24 * 3600),
        result_retention: seconds(24 * 3600),
        max_result_size: 16 << 20,
        max_running: 256,
        per_client: PerClient {
            max_pending: 10_000,
            max_running_percent: 75,
            requests_per_second: None,
        },
        per_receiver: PerReceiver {
            max_in_flight: 8,
            rate_per_second: None,
            breaker: Breaker::Enabled,
        },
        dead_retention: seconds(168 * 3600),
        notify: None,
        signing: vec![],
        receivers: Receivers {
            from_clients,
            default: None,
        },
    }
}

fn store_defaults() -> EmbeddedStore {
    EmbeddedStore {
        size: "8Gi".to_owned().try_into().unwrap(),
        storage_class_name: None,
        access_mode: AccessMode::ReadWriteOnce,
        existing_claim: None,
    }
}

#[test]
fn a_service_becomes_a_url_in_the_routes_namespace() {
    let route = meaning(&json!({
        "servers": [
            {"name": "a", "service": {"name": "a-mcp", "port": 8080}},
            {"name": "b", "service": {"name": "b", "port": 443, "path": "/v1", "scheme": "https"}},
        ],
        "webhook": {"receivers": {"default": {"service": {"name": "hooks", "port": 80}}}},
    }));
    assert_eq!(route.servers[0].url, "http://a-mcp.tools.svc:8080/mcp");
    assert_eq!(route.servers[1].url, "https://b.tools.svc:443/v1");
    let receiver = route.webhook.receivers.default.unwrap();
    assert_eq!(
        (receiver.url.as_str(), receiver.is_service),
        ("http://hooks.tools.svc:80/", true)
    );
}

#[test]
fn a_server_without_a_timeout_uses_the_timeout_of_the_route() {
    let route = meaning(&json!({
        "servers": [{"name": "a", "url": "http://a"}, {"name": "b", "url": "http://b", "timeout": "5s"}],
        "transport": {"timeout": "2m"},
    }));
    assert_eq!(
        (route.servers[0].timeout, route.servers[1].timeout),
        (seconds(120), seconds(5))
    );
}

#[test]
fn a_schedule_replaces_exponential_backoff() {
    let spec = json!({"servers": [{"name": "a", "url": "http://a"}], "webhook": {"retry": {"schedule": ["5s", "1m"]}}});
    assert_eq!(
        meaning(&spec).webhook.retry.waits,
        Waits::Schedule(vec![seconds(5), seconds(60)])
    );
}

#[test]
fn filling_twice_changes_nothing_and_what_is_set_stays() {
    let spec = read(&json!({
        "servers": [{"name": "a", "url": "http://a"}],
        "store": {"memory": {}},
        "transport": {"timeout": "90s"},
    }))
    .spec;
    let filled = fill(&spec);
    assert_eq!(fill(&filled), filled);
    assert_eq!(
        (filled.store, filled.transport.unwrap().timeout.unwrap().as_str()),
        (spec.store, "90s")
    );
}

/// One of several values for a field, or no field.
fn maybe(name: &'static str, values: &Value) -> impl Strategy<Value = Option<(String, Value)>> + use<> {
    let values = values.as_array().cloned().unwrap();
    prop::option::of(prop::sample::select(values).prop_map(move |value| (name.to_owned(), value)))
}

fn spec() -> impl Strategy<Value = Value> {
    let url = json!(["http://a", "https://a:8443/mcp", "http://user@a", "nonsense", ""]);
    let service = json!([{"name": "s", "port": 80}, {"name": "S", "port": 0, "path": "x"}]);
    let server = (
        maybe("url", &url),
        maybe("service", &service),
        maybe("timeout", &json!(["0s", "1m"])),
    )
        .prop_map(|(url, service, timeout)| {
            object([Some(("name".into(), json!("a"))), url, service, timeout])
        });
    let retry = json!([{}, {"max": 3}, {"schedule": ["1s"]}, {"schedule": [], "max": 1}, {"exponential": {"max": "1ms"}}]);
    let clients = json!([{}, {"allowedCidrs": ["10.0.0.0/8", "x"]}, {"policy": "Deny", "schemes": []}]);
    let default =
        (maybe("url", &url), maybe("service", &service)).prop_map(|(url, service)| object([url, service]));
    let receivers = (maybe("fromClients", &clients), prop::option::of(default))
        .prop_map(|(clients, default)| object([clients, default.map(|default| ("default".into(), default))]));
    let webhook = (maybe("retry", &retry), prop::option::of(receivers)).prop_map(|(retry, receivers)| {
        object([retry, receivers.map(|receivers| ("receivers".into(), receivers))])
    });
    let store = json!([{}, {"embedded": {}}, {"memory": {}}, {"embedded": {"size": "1Gi"}, "memory": {}}]);
    (server, maybe("store", &store), prop::option::of(webhook)).prop_map(|(server, store, webhook)| {
        object([
            Some(("servers".into(), json!([server]))),
            store,
            webhook.map(|webhook| ("webhook".into(), webhook)),
        ])
    })
}

fn object(fields: impl IntoIterator<Item = Option<(String, Value)>>) -> Value {
    Value::Object(fields.into_iter().flatten().collect())
}

proptest! {
    #[test]
    fn no_route_makes_effective_fail_and_a_valid_one_loses_nothing(spec in spec()) {
        let route = read(&spec);
        let meaning = effective(&route);
        if validate(&route).is_ok() {
            prop_assert!(url::Url::parse(&meaning.servers[0].url).is_ok());
            let receivers = meaning.webhook.receivers;
            prop_assert!(receivers.default.is_none_or(|default| url::Url::parse(&default.url).is_ok()));
            let given = spec["webhook"]["receivers"]["fromClients"]["allowedCidrs"].as_array().map_or(0, Vec::len);
            prop_assert_eq!(receivers.from_clients.allowed_cidrs.len(), given);
        }
    }
}
