//! Converts a filled spec to plain values, section by section.
//!
//! Invariant: called on the output of `fill` only, so a field that has a default is always set.

use std::time::Duration;

use ipnet::IpNet;

use super::{
    Auth, DataPlane, DefaultReceiver, Deletion, EmbeddedStore, FromClients, Header, HeaderValue, Jwt, Otlp,
    PerClient, PerReceiver, Receivers, Retry, Server, ServerTls, Store, Telemetry, Transport, Waits, Webhook,
    WebhookTool,
};
use crate::ObjectKey;
use crate::v1alpha1::{self as api, Scheme, ServiceRef};

/// The value of a field that has a default.
pub(super) fn set<T>(field: Option<T>) -> T {
    field.expect("fill sets every field that has a default")
}

pub(super) fn span(field: Option<crate::Duration>) -> Duration {
    set(field).as_std()
}

pub(super) fn server(given: api::Server, namespace: &str, route_timeout: Duration) -> Server {
    let filter = given.tools.unwrap_or(api::ToolFilter {
        include: None,
        exclude: None,
        scopes: None,
    });
    Server {
        name: given.name,
        is_service: given.service.is_some(),
        url: url(given.url, given.service, namespace),
        tool_prefix: given.tool_prefix.unwrap_or_default(),
        include: filter.include.unwrap_or_default(),
        exclude: filter.exclude.unwrap_or_default(),
        scopes: filter.scopes.unwrap_or_default(),
        failure_mode: set(given.failure_mode),
        headers: server_headers(given.headers),
        bearer_token: given.bearer_token_secret_ref,
        tls: given.tls.map(server_tls).unwrap_or_default(),
        host: given.host,
        timeout: given.timeout.map_or(route_timeout, |timeout| timeout.as_std()),
        max_response_size: set(given.max_response_size).bytes(),
        max_concurrent_jobs: set(given.max_concurrent_jobs),
        max_queued_jobs: set(given.max_queued_jobs),
        not_dispatched: given.not_dispatched.unwrap_or_default(),
    }
}

fn server_tls(given: api::ServerTls) -> ServerTls {
    let authorities = given.ca_certificate_refs.into_iter().flatten();
    ServerTls {
        authorities: authorities.map(ObjectKey::from).collect(),
        certificate: given.client_certificate_ref.map(|named| named.name),
        server_name: given.server_name,
    }
}

fn server_headers(given: Option<Vec<api::ServerHeader>>) -> Vec<Header> {
    let given = given.into_iter().flatten();
    given
        .filter_map(|given| header(given.name, given.value, given.value_from))
        .collect()
}

fn per_client(given: &api::PerClient) -> PerClient {
    PerClient {
        max_pending: set(given.max_pending),
        max_running_percent: set(given.max_running_percent),
        requests_per_second: given.requests_per_second,
    }
}

/// The URL itself, or the URL of the Service; empty if a route that was not validated has neither.
fn url(url: Option<String>, service: Option<ServiceRef>, namespace: &str) -> String {
    service.map_or_else(
        || url.unwrap_or_default(),
        |service| service_url(&service, namespace),
    )
}

fn service_url(service: &ServiceRef, namespace: &str) -> String {
    let ServiceRef {
        name,
        port,
        path,
        scheme,
    } = service;
    let scheme = scheme.unwrap_or(Scheme::Http).as_str();
    let path = path.as_deref().unwrap_or_default();
    format!("{scheme}://{name}.{namespace}.svc:{port}{path}")
}

pub(super) fn webhook_tool(given: api::WebhookTool) -> WebhookTool {
    WebhookTool {
        name: given.name,
        timeout: span(given.timeout),
        max_concurrent: given.max_concurrent,
        on_interruption: set(given.on_interruption),
        scopes: given.scopes.unwrap_or_default(),
    }
}

pub(super) fn transport(given: api::Transport) -> Transport {
    Transport {
        path: set(given.path),
        json_response: set(given.json_response),
        timeout: span(given.timeout),
        lifetime: span(given.lifetime),
        stateless: set(given.stateless),
        allowed_origins: given.allowed_origins.unwrap_or_default(),
        hostnames: given.hostnames.unwrap_or_default(),
        certificate: given.tls.map(|tls| tls.certificate_ref.name),
        trusted_proxies: ranges(given.trusted_proxies),
        max_request_size: set(given.max_request_size).bytes(),
    }
}

pub(super) fn auth(given: api::Auth) -> Auth {
    Auth {
        bearer: given.bearer_secret_refs.unwrap_or_default(),
        jwt: given.jwt.into_iter().flatten().map(jwt).collect(),
    }
}

fn jwt(given: api::Jwt) -> Jwt {
    let audiences = given.audiences;
    Jwt {
        issuer: given.issuer,
        jwks_uri: given.jwks_uri,
        audiences: audiences.unwrap_or_else(|| given.resource.iter().cloned().collect()),
        scopes: given.scopes.unwrap_or_default(),
        resource: given.resource,
    }
}

pub(super) fn webhook(given: api::Webhook, namespace: &str) -> Webhook {
    let dead_letter = set(given.dead_letter);
    let of_author = |receiver| default_receiver(receiver, namespace);
    Webhook {
        timeout: span(given.timeout),
        retry: retry(set(given.retry)),
        max_age: span(given.max_age),
        result_retention: span(given.result_retention),
        max_result_size: set(given.max_result_size).bytes(),
        max_running: set(given.max_running),
        per_client: per_client(&set(given.per_client)),
        per_receiver: per_receiver(&set(given.per_receiver)),
        dead_retention: span(dead_letter.retention),
        notify: dead_letter.notify.map(of_author),
        signing: given
            .signing
            .map(|signing| signing.secret_refs)
            .unwrap_or_default(),
        receivers: receivers(set(given.receivers), namespace),
    }
}

fn per_receiver(given: &api::PerReceiver) -> PerReceiver {
    PerReceiver {
        max_in_flight: set(given.max_in_flight),
        rate_per_second: given.rate_per_second,
        breaker: set(given.breaker),
    }
}

fn retry(given: api::Retry) -> Retry {
    Retry {
        retry_after_max: span(given.retry_after_max.clone()),
        waits: waits(given),
    }
}

fn waits(given: api::Retry) -> Waits {
    if let Some(schedule) = given.schedule {
        return Waits::Schedule(schedule.iter().map(crate::Duration::as_std).collect());
    }
    let exponential = set(given.exponential);
    Waits::Exponential {
        retries: set(given.max),
        initial: span(exponential.initial),
        max: span(exponential.max),
        jitter_percent: set(exponential.jitter_percent),
    }
}

fn receivers(given: api::Receivers, namespace: &str) -> Receivers {
    Receivers {
        from_clients: from_clients(set(given.from_clients)),
        default: given.default.map(|default| default_receiver(default, namespace)),
    }
}

fn ranges(given: Option<Vec<String>>) -> Vec<IpNet> {
    let given = given.into_iter().flatten();
    given.filter_map(|range| range.parse().ok()).collect()
}

fn from_clients(given: api::FromClients) -> FromClients {
    FromClients {
        policy: set(given.policy),
        allowed_hosts: given.allowed_hosts.unwrap_or_default(),
        allowed_cidrs: ranges(given.allowed_cidrs),
        schemes: set(given.schemes),
    }
}

fn default_receiver(given: api::DefaultReceiver, namespace: &str) -> DefaultReceiver {
    DefaultReceiver {
        is_service: given.service.is_some(),
        url: url(given.url, given.service, namespace),
        headers: headers(given.headers),
    }
}

fn headers(given: Option<Vec<api::Header>>) -> Vec<Header> {
    let given = given.into_iter().flatten();
    given
        .filter_map(|given| header(given.name, given.value, given.value_from))
        .collect()
}

fn header(name: String, value: Option<String>, source: Option<api::HeaderSource>) -> Option<Header> {
    let value = match (value, source) {
        (_, Some(source)) => HeaderValue::Secret(source.secret_key_ref),
        (Some(value), None) => HeaderValue::Literal(value),
        (None, None) => return None,
    };
    Some(Header { name, value })
}

pub(super) fn store(given: api::Store) -> Store {
    given
        .embedded
        .filter(|_| given.memory.is_none())
        .map_or(Store::Memory, |embedded| {
            Store::Embedded(EmbeddedStore {
                size: set(embedded.size),
                storage_class_name: embedded.storage_class_name,
                access_mode: set(embedded.access_mode),
                existing_claim: embedded.existing_claim,
            })
        })
}

pub(super) fn deletion(given: api::Deletion) -> Deletion {
    Deletion {
        policy: set(given.policy),
        timeout: span(given.timeout),
    }
}

pub(super) fn data_plane(given: api::DataPlane) -> DataPlane {
    DataPlane {
        image: given.image,
        resources: set(given.resources),
        termination_grace_period: span(given.termination_grace_period),
    }
}

pub(super) fn telemetry(given: api::Telemetry) -> Telemetry {
    Telemetry {
        otlp: given.otlp.map(|otlp| Otlp {
            endpoint: otlp.endpoint,
            protocol: set(otlp.protocol),
            headers: headers(otlp.headers),
        }),
        sampling_percent: set(given.sampling_percent),
        log_level: set(given.log_level),
    }
}
