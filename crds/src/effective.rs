//! The route as it is meant: every default filled in, every text turned into the value it stands for.
//!
//! The data plane and the operator read this instead of the optional fields that users write.
//!
//! Invariant: `effective` is total and pure. It is meant for routes that passed `validate`; of others it drops what
//! it cannot read and never panics.

mod convert;
mod defaults;

pub use defaults::fill;

use std::time::Duration;

use ipnet::IpNet;

use crate::v1alpha1::{
    AccessMode, Breaker, DeletionPolicy, Exponential, LogLevel, McpWebhookRoute, OnInterruption,
    OtlpProtocol, ReceiverPolicy, Resources, Scheme, SecretKeyRef,
};
use crate::{Glob, HostPattern, Size};

/// A whole route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`; `default` where a file names none.
    pub namespace: String,
    /// `metadata.uid`; none on a laptop.
    pub uid: Option<String>,
    /// Whether the route is being deleted: no new calls, but deliveries go on.
    pub deleting: bool,
    /// The servers, in the order of the file.
    pub servers: Vec<Server>,
    /// The entries of `webhookTools`, in the order of the file.
    pub webhook_tools: Vec<WebhookTool>,
    /// The side that faces clients.
    pub transport: Transport,
    /// How results are delivered.
    pub webhook: Webhook,
    /// Where jobs are kept.
    pub store: Store,
    /// What deleting the route does.
    pub deletion: Deletion,
    /// The pods.
    pub data_plane: DataPlane,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

/// An MCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name within the route.
    pub name: String,
    /// The URL of its MCP endpoint.
    pub url: String,
    /// Whether the URL was made of `service`; a laptop then says where the server really is.
    pub is_service: bool,
    /// What is put before its tools' names; often empty.
    pub tool_prefix: String,
    /// Its own names that are offered; empty means all.
    pub include: Vec<Glob>,
    /// Its own names that are not offered; beats `include`.
    pub exclude: Vec<Glob>,
    /// Silence allowed on an ordinary call.
    pub timeout: Duration,
    /// The largest answer that is read from it, in bytes.
    pub max_response_size: u64,
    /// How many jobs may run on it at once.
    pub max_concurrent_jobs: u32,
    /// How many jobs may wait for it.
    pub max_queued_jobs: u32,
}

/// An entry of `webhookTools`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTool {
    /// The name as clients see it, or a pattern.
    pub name: Glob,
    /// How long one execution may take.
    pub timeout: Duration,
    /// How many executions may run at once; none: no limit of its own.
    pub max_concurrent: Option<u32>,
    /// None: it depends on the tool's annotations.
    pub on_interruption: Option<OnInterruption>,
}

/// The side that faces clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The path of the MCP endpoint.
    pub path: String,
    /// Whether every POST is answered with JSON.
    pub json_response: bool,
    /// Silence allowed on an ordinary call.
    pub timeout: Duration,
    /// The age at which a session is over.
    pub lifetime: Duration,
    /// Origins that are allowed besides the route's own host.
    pub allowed_origins: Vec<String>,
    /// Hosts that are answered; empty means loopback names on a loopback listener, else any.
    pub hostnames: Vec<HostPattern>,
    /// The largest request body in bytes.
    pub max_request_size: u64,
}

/// How results are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// How long one attempt may take, body included.
    pub timeout: Duration,
    /// What follows a failed attempt.
    pub retry: Retry,
    /// The age of a result at which it is given up.
    pub max_age: Duration,
    /// How long a finished job is kept.
    pub result_retention: Duration,
    /// The largest response that is delivered, in bytes.
    pub max_result_size: u64,
    /// How many jobs may run at once in all.
    pub max_running: u32,
    /// What one client may have under way.
    pub per_client: PerClient,
    /// How hard one receiver is pressed.
    pub per_receiver: PerReceiver,
    /// How long a dead letter is kept.
    pub dead_retention: Duration,
    /// The keys that sign; empty: no signature.
    pub signing: Vec<SecretKeyRef>,
    /// Who may receive.
    pub receivers: Receivers,
}

/// What one client may have under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerClient {
    /// Jobs that something is still to happen to.
    pub max_pending: u32,
}

/// How hard one receiver is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerReceiver {
    /// Attempts under way at once.
    pub max_in_flight: u32,
    /// Attempts that may begin in a second; none: no such limit.
    pub rate_per_second: Option<u32>,
    /// Whether one that fails again and again is left alone for a while.
    pub breaker: Breaker,
}

/// What follows a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The waits before the retries.
    pub waits: Waits,
    /// `Retry-After` is honoured up to this.
    pub retry_after_max: Duration,
}

/// The waits before the retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Before retry n: min(`initial` x 2^(n-1), `max`), give or take `jitter_percent`.
    Exponential {
        /// How many retries.
        retries: u32,
        /// The wait before the first one.
        initial: Duration,
        /// The longest wait.
        max: Duration,
        /// 0 to 100.
        jitter_percent: u8,
    },
    /// As listed, one retry each.
    Schedule(Vec<Duration>),
}

/// Who may receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receivers {
    /// The receivers that clients name.
    pub from_clients: FromClients,
    /// The receiver for calls whose client names none.
    pub default: Option<DefaultReceiver>,
}

/// Which receivers clients may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromClients {
    /// Whether they may at all.
    pub policy: ReceiverPolicy,
    /// Hosts that may receive.
    pub allowed_hosts: Vec<HostPattern>,
    /// Ranges that may receive although they are not public.
    pub allowed_cidrs: Vec<IpNet>,
    /// Schemes that a URL may have.
    pub schemes: Vec<Scheme>,
}

/// The receiver that the route's author names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultReceiver {
    /// Where results are POSTed to.
    pub url: String,
    /// Whether the URL was made of `service`; a laptop then says where the receiver really is.
    pub is_service: bool,
    /// Headers added to each delivery.
    pub headers: Vec<Header>,
}

/// A header that the route's author adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// As written in the route.
    Literal(String),
    /// To be read from a Secret.
    Secret(SecretKeyRef),
}

/// Where jobs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// On a volume.
    Embedded(EmbeddedStore),
    /// In memory.
    Memory,
}

/// A volume with a database file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedStore {
    /// Its size.
    pub size: Size,
    /// Its StorageClass; none: the cluster's default.
    pub storage_class_name: Option<String>,
    /// How it is mounted.
    pub access_mode: AccessMode,
    /// A claim to use instead of a new one.
    pub existing_claim: Option<String>,
}

/// What deleting the route does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Whether deliveries are finished first.
    pub policy: DeletionPolicy,
    /// How long that may take.
    pub timeout: Duration,
}

/// The pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPlane {
    /// The image; none: the operator's.
    pub image: Option<String>,
    /// Requests and limits.
    pub resources: Resources,
    /// How long an ending pod may take.
    pub termination_grace_period: Duration,
}

/// Logs and traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where traces go.
    pub otlp: Option<Otlp>,
    /// Of the traces that start here, how many are recorded, 0 to 100.
    pub sampling_percent: u8,
    /// The least severe lines that are written.
    pub log_level: LogLevel,
}

/// A trace collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// Its URL.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// Headers added to each export.
    pub headers: Vec<Header>,
}

/// Says what a route means.
pub fn effective(route: &McpWebhookRoute) -> Route {
    let spec = fill(&route.spec);
    let namespace = route
        .metadata
        .namespace
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    let transport = convert::transport(convert::set(spec.transport));
    let server = |given| convert::server(given, &namespace, transport.timeout);
    Route {
        name: route.metadata.name.clone().unwrap_or_default(),
        uid: route.metadata.uid.clone(),
        deleting: route.metadata.deletion_timestamp.is_some(),
        servers: spec.servers.into_iter().map(server).collect(),
        webhook_tools: spec
            .webhook_tools
            .into_iter()
            .flatten()
            .map(convert::webhook_tool)
            .collect(),
        webhook: convert::webhook(convert::set(spec.webhook), &namespace),
        store: convert::store(convert::set(spec.store)),
        deletion: convert::deletion(convert::set(spec.deletion)),
        data_plane: convert::data_plane(convert::set(spec.data_plane)),
        telemetry: convert::telemetry(convert::set(spec.telemetry)),
        transport,
        namespace,
    }
}

/// The first and the longest wait of waits that double.
pub(crate) fn waits(given: &Exponential) -> (Duration, Duration) {
    let mut filled = given.clone();
    defaults::exponential(&mut filled);
    (convert::span(filled.initial), convert::span(filled.max))
}

#[cfg(test)]
mod tests;
