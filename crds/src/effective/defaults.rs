//! Every default of the API, in the users' notation. There is no default anywhere else.
//!
//! `effective` reads the filled spec. The generator adds the difference between a spec and the filled spec to the field
//! descriptions, so that `kubectl explain` always shows the actual defaults.
//!
//! Invariant: a field that the user set is never changed, and a default never depends on another field, except that a
//! union whose other member is set stays unchanged.

use crate::v1alpha1::store::DEFAULT_SIZE;
use crate::v1alpha1::{
    AccessMode, Breaker, DataPlane, DefaultReceiver, Deletion, DeletionPolicy, EmbeddedStore, Exponential,
    FailureMode, FromClients, LogLevel, McpWebhookRouteSpec, OnInterruption, Otlp, OtlpProtocol, PerReceiver,
    ReceiverPolicy, Receivers, Resources, Retry, Scheme, Server, ServiceRef, Store, Telemetry, Transport,
    Webhook,
};
use crate::{Duration, Quantity, Size};

/// Writes the defaults into a spec.
pub fn fill(spec: &McpWebhookRouteSpec) -> McpWebhookRouteSpec {
    let mut filled = spec.clone();
    for given in &mut filled.servers {
        server(given);
    }
    for tool in filled.webhook_tools.iter_mut().flatten() {
        duration(&mut tool.timeout, "1h");
        tool.on_interruption.get_or_insert(OnInterruption::Fail);
    }
    transport(filled.transport.get_or_insert_default());
    webhook(filled.webhook.get_or_insert_default());
    store(filled.store.get_or_insert(Store {
        embedded: None,
        memory: None,
    }));
    deletion(filled.deletion.get_or_insert_default());
    data_plane(filled.data_plane.get_or_insert_default());
    telemetry(filled.telemetry.get_or_insert_default());
    filled
}

fn server(server: &mut Server) {
    server.failure_mode.get_or_insert(FailureMode::FailOpen);
    size(&mut server.max_response_size, "16Mi");
    server.max_concurrent_jobs.get_or_insert(16);
    server.max_queued_jobs.get_or_insert(100_000);
    if let Some(service) = &mut server.service {
        service_with_path(service, "/mcp");
    }
}

fn transport(transport: &mut Transport) {
    transport.stateless.get_or_insert(false);
    text(&mut transport.path, "/mcp");
    transport.json_response.get_or_insert(false);
    duration(&mut transport.timeout, "30s");
    duration(&mut transport.lifetime, "168h");
    size(&mut transport.max_request_size, "4Mi");
}

fn webhook(webhook: &mut Webhook) {
    duration(&mut webhook.timeout, "30s");
    duration(&mut webhook.max_age, "24h");
    duration(&mut webhook.result_retention, "24h");
    size(&mut webhook.max_result_size, "16Mi");
    webhook.max_running.get_or_insert(256);
    let per_client = webhook.per_client.get_or_insert_default();
    per_client.max_pending.get_or_insert(10_000);
    per_client.max_running_percent.get_or_insert(75);
    per_receiver(webhook.per_receiver.get_or_insert_default());
    let dead_letter = webhook.dead_letter.get_or_insert_default();
    duration(&mut dead_letter.retention, "168h");
    of_author(dead_letter.notify.as_mut());
    retry(webhook.retry.get_or_insert_default());
    receivers(webhook.receivers.get_or_insert_default());
}

fn per_receiver(per_receiver: &mut PerReceiver) {
    per_receiver.max_in_flight.get_or_insert(8);
    per_receiver.breaker.get_or_insert(Breaker::Enabled);
}

fn retry(retry: &mut Retry) {
    duration(&mut retry.retry_after_max, "1h");
    if retry.schedule.is_none() {
        retry.max.get_or_insert(16);
        exponential(retry.exponential.get_or_insert_default());
    }
}

pub(super) fn exponential(exponential: &mut Exponential) {
    duration(&mut exponential.initial, "1s");
    duration(&mut exponential.max, "2h");
    exponential.jitter_percent.get_or_insert(20);
}

fn receivers(receivers: &mut Receivers) {
    from_clients(receivers.from_clients.get_or_insert_default());
    of_author(receivers.default.as_mut());
}

fn of_author(receiver: Option<&mut DefaultReceiver>) {
    if let Some(service) = receiver.and_then(|receiver| receiver.service.as_mut()) {
        service_with_path(service, "/");
    }
}

fn from_clients(from_clients: &mut FromClients) {
    from_clients.policy.get_or_insert(ReceiverPolicy::Allowlist);
    from_clients.schemes.get_or_insert_with(|| vec![Scheme::Https]);
}

fn store(store: &mut Store) {
    if store.memory.is_none() {
        embedded(store.embedded.get_or_insert_default());
    }
}

fn embedded(embedded: &mut EmbeddedStore) {
    size(&mut embedded.size, DEFAULT_SIZE);
    embedded.access_mode.get_or_insert(AccessMode::ReadWriteOnce);
}

fn deletion(deletion: &mut Deletion) {
    deletion.policy.get_or_insert(DeletionPolicy::Drain);
    duration(&mut deletion.timeout, "10m");
}

fn data_plane(data_plane: &mut DataPlane) {
    data_plane.resources.get_or_insert_with(resources);
    duration(&mut data_plane.termination_grace_period, "60s");
}

/// As a whole: a default limit beside a request that the user wrote could be below it. There is no CPU limit, since
/// throttling delays deliveries.
fn resources() -> Resources {
    let amounts = |amounts: &[(&str, &str)]| {
        let amount = |(name, amount): &(&str, &str)| {
            let amount = Quantity::try_from((*amount).to_owned()).expect("the defaults are quantities");
            ((*name).to_owned(), amount)
        };
        Some(amounts.iter().map(amount).collect())
    };
    Resources {
        requests: amounts(&[("cpu", "50m"), ("memory", "128Mi")]),
        limits: amounts(&[("memory", "1Gi")]),
    }
}

fn telemetry(telemetry: &mut Telemetry) {
    telemetry.sampling_percent.get_or_insert(100);
    telemetry.log_level.get_or_insert(LogLevel::Info);
    if let Some(otlp) = &mut telemetry.otlp {
        protocol(otlp);
    }
}

fn protocol(otlp: &mut Otlp) {
    otlp.protocol.get_or_insert(OtlpProtocol::HttpProtobuf);
}

fn service_with_path(service: &mut ServiceRef, path: &str) {
    text(&mut service.path, path);
    service.scheme.get_or_insert(Scheme::Http);
}

fn text(field: &mut Option<String>, default: &str) {
    field.get_or_insert_with(|| default.to_owned());
}

fn duration(field: &mut Option<Duration>, default: &str) {
    field.get_or_insert_with(|| default.parse().expect("a default is a duration"));
}

fn size(field: &mut Option<Size>, default: &str) {
    field.get_or_insert_with(|| Size::try_from(default.to_owned()).expect("a default is a size"));
}
