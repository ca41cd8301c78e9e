//! The effective route: every default is filled in, and every text is converted to the value it represents.
//!
//! The data plane and the operator use this instead of the optional fields that users write.
//!
//! Invariant: `effective` is pure and never fails. It is meant for routes that passed `validate`; from other routes it
//! drops what it cannot convert.

mod convert;
mod defaults;
mod total;

pub use defaults::fill;

use std::time::Duration;

use ipnet::IpNet;

use crate::v1alpha1::{
    AccessMode, Breaker, DeletionPolicy, Exponential, FailureMode, LogLevel, McpWebhookRoute, OnInterruption,
    OtlpProtocol, ReceiverPolicy, Resources, Scheme, SecretKeyRef,
};
use crate::{Glob, HostPattern, ObjectKey, Size};

/// A route with all defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`; `default` if the file does not set it.
    pub namespace: String,
    /// `metadata.uid`; none outside a cluster.
    pub uid: Option<String>,
    /// Whether the route is being deleted: new calls are refused, deliveries continue.
    pub deleting: bool,
    /// The servers, in the order of the spec.
    pub servers: Vec<Server>,
    /// The entries of `webhookTools`, in the order of the spec.
    pub webhook_tools: Vec<WebhookTool>,
    /// `spec.transport`.
    pub transport: Transport,
    /// `spec.auth`; `None`: everybody may use the route.
    pub auth: Option<Auth>,
    /// `spec.webhook`.
    pub webhook: Webhook,
    /// `spec.store`.
    pub store: Store,
    /// `spec.deletion`.
    pub deletion: Deletion,
    /// `spec.dataPlane`.
    pub data_plane: DataPlane,
    /// `spec.telemetry`.
    pub telemetry: Telemetry,
}

/// An entry of `spec.servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name within the route; a label of metrics.
    pub name: String,
    /// The URL of its MCP endpoint.
    pub url: String,
    /// Whether the URL is derived from `service`. Outside a cluster, a flag supplies the actual URL.
    pub is_service: bool,
    /// The prefix of its tools' and prompts' names; often empty.
    pub tool_prefix: String,
    /// The tools to offer, by the server's own names; empty means all.
    pub include: Vec<Glob>,
    /// The tools to leave out, by the server's own names; takes precedence over `include`.
    pub exclude: Vec<Glob>,
    /// The scopes that its tools need, its prompts and its resources.
    pub scopes: Vec<String>,
    /// What it does to lists while it cannot be reached.
    pub failure_mode: FailureMode,
    /// Headers added to each request.
    pub headers: Vec<Header>,
    /// The token sent with each request.
    pub bearer_token: Option<SecretKeyRef>,
    /// TLS of the connections to it.
    pub tls: ServerTls,
    /// The `Host` header; `None`: the URL's.
    pub host: Option<String>,
    /// How long the server may be silent during an ordinary call.
    pub timeout: Duration,
    /// Maximum size of a response, in bytes.
    pub max_response_size: u64,
    /// Maximum number of jobs that run on the server concurrently.
    pub max_concurrent_jobs: u32,
    /// Maximum number of jobs that wait for the server.
    pub max_queued_jobs: u32,
    /// The statuses that prove that the server dispatched nothing.
    pub not_dispatched: Vec<u16>,
}

/// TLS of the connections to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerTls {
    /// Where the trusted authorities are; empty: the system's.
    pub authorities: Vec<ObjectKey>,
    /// The Secret with the gateway's own certificate.
    pub certificate: Option<String>,
    /// The name that the server's certificate must have; `None`: the URL's host.
    pub server_name: Option<String>,
}

/// An entry of `webhookTools`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTool {
    /// The name as clients see it, or a pattern.
    pub name: Glob,
    /// Timeout of one execution.
    pub timeout: Duration,
    /// Maximum number of concurrent executions; `None`: no limit of this entry.
    pub max_concurrent: Option<u32>,
    /// What happens when an execution is interrupted.
    pub on_interruption: OnInterruption,
    /// The scopes that its tools need, beside their server's.
    pub scopes: Vec<String>,
}

/// The MCP endpoint that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The path of the MCP endpoint.
    pub path: String,
    /// Whether every POST is answered with JSON instead of an event stream.
    pub json_response: bool,
    /// How long a server may be silent during an ordinary call.
    pub timeout: Duration,
    /// Maximum age of a client's session.
    pub lifetime: Duration,
    /// Whether clients up to 2025-11-25 get no session.
    pub stateless: bool,
    /// Origins that are allowed besides the route's own host.
    pub allowed_origins: Vec<String>,
    /// Allowed hosts; empty means loopback names on a loopback listener, otherwise any.
    pub hostnames: Vec<HostPattern>,
    /// The Secret with the endpoint's certificate; `None`: no TLS.
    pub certificate: Option<String>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Maximum size of a request body, in bytes.
    pub max_request_size: u64,
}

/// The credentials that clients need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// The keys of Secrets that are tokens, each of one client.
    pub bearer: Vec<SecretKeyRef>,
    /// The authorization servers.
    pub jwt: Vec<Jwt>,
}

/// An authorization server, and what its tokens must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// The claim `iss`.
    pub issuer: String,
    /// The URL of its keys; `None`: its metadata says it.
    pub jwks_uri: Option<String>,
    /// What the claim `aud` may be; never empty for a route that passed `validate`.
    pub audiences: Vec<String>,
    /// The scopes that a token must have.
    pub scopes: Vec<String>,
    /// The URL of the endpoint as clients know it; `None`: that of each request.
    pub resource: Option<String>,
}

/// How results are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Timeout of one attempt, including the response body.
    pub timeout: Duration,
    /// When failed attempts are retried.
    pub retry: Retry,
    /// Maximum age of an undelivered result.
    pub max_age: Duration,
    /// How long a delivered result is kept.
    pub result_retention: Duration,
    /// Maximum size of a response that is delivered, in bytes.
    pub max_result_size: u64,
    /// Maximum number of jobs that run concurrently on all servers.
    pub max_running: u32,
    /// Quotas per client.
    pub per_client: PerClient,
    /// Limits per receiver.
    pub per_receiver: PerReceiver,
    /// How long a dead letter is kept.
    pub dead_retention: Duration,
    /// The receiver of events about dead letters.
    pub notify: Option<DefaultReceiver>,
    /// The signing keys; empty: deliveries are not signed.
    pub signing: Vec<SecretKeyRef>,
    /// The allowed receivers.
    pub receivers: Receivers,
}

/// Quotas per client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerClient {
    /// Maximum number of unfinished jobs.
    pub max_pending: u32,
    /// The share of a limit on running jobs that one client may use, in percent.
    pub max_running_percent: u8,
    /// Maximum number of requests per second; `None`: unlimited.
    pub requests_per_second: Option<u32>,
}

/// Limits per receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerReceiver {
    /// Maximum number of concurrent attempts.
    pub max_in_flight: u32,
    /// Maximum number of attempts that start per second; `None`: unlimited.
    pub rate_per_second: Option<u32>,
    /// Whether a circuit breaker protects receivers that keep failing.
    pub breaker: Breaker,
}

/// When failed attempts are retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The waits before the retries.
    pub waits: Waits,
    /// The longest `Retry-After` that is honoured.
    pub retry_after_max: Duration,
}

/// The waits before the retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Before retry n: min(`initial` x 2^(n-1), `max`), varied by `jitter_percent`.
    Exponential {
        /// The number of retries.
        retries: u32,
        /// The wait before the first retry.
        initial: Duration,
        /// The longest wait.
        max: Duration,
        /// Random variation of each wait, 0 to 100.
        jitter_percent: u8,
    },
    /// One retry after each wait of the list.
    Schedule(Vec<Duration>),
}

/// The allowed receivers.
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
    /// Whether clients may name receivers at all.
    pub policy: ReceiverPolicy,
    /// Hosts that clients may name.
    pub allowed_hosts: Vec<HostPattern>,
    /// Address ranges that are allowed although they are not public.
    pub allowed_cidrs: Vec<IpNet>,
    /// Schemes allowed in a receiver's URL.
    pub schemes: Vec<Scheme>,
}

/// The receiver that the route's author names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultReceiver {
    /// The URL that results are POSTed to.
    pub url: String,
    /// Whether the URL is derived from `service`. Outside a cluster, a flag supplies the actual URL.
    pub is_service: bool,
    /// Headers added to each delivery.
    pub headers: Vec<Header>,
}

/// A header that the route adds to requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The header's name; case does not matter.
    pub name: String,
    /// The header's value, or where to read it.
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// Written in the route.
    Literal(String),
    /// Read from a Secret.
    Secret(SecretKeyRef),
}

/// Where jobs are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a database file on a volume.
    Embedded(EmbeddedStore),
    /// In memory; lost when the process ends.
    Memory,
}

/// A volume that contains a database file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedStore {
    /// Size of the volume.
    pub size: Size,
    /// StorageClass of the volume; `None`: the cluster's default.
    pub storage_class_name: Option<String>,
    /// Access mode of the volume.
    pub access_mode: AccessMode,
    /// An existing claim to use instead of a new one.
    pub existing_claim: Option<String>,
}

/// What happens to undelivered results when the route is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Whether to deliver them first.
    pub policy: DeletionPolicy,
    /// How long to wait for the deliveries.
    pub timeout: Duration,
}

/// The pods that run the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPlane {
    /// The image; `None`: the one configured for the operator.
    pub image: Option<String>,
    /// Resource requests and limits.
    pub resources: Resources,
    /// The time a pod has to shut down.
    pub termination_grace_period: Duration,
}

/// Logs and traces of the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where traces are sent.
    pub otlp: Option<Otlp>,
    /// The percentage of new traces that are recorded.
    pub sampling_percent: u8,
    /// Minimum log level.
    pub log_level: LogLevel,
}

/// A trace collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// The URL of the collector.
    pub endpoint: String,
    /// The protocol of exports.
    pub protocol: OtlpProtocol,
    /// Headers added to each export request.
    pub headers: Vec<Header>,
}

/// Fills in the defaults and converts every field.
pub fn effective(route: &McpWebhookRoute) -> Route {
    let spec = fill(&route.spec);
    let namespace = route
        .metadata
        .namespace
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    let transport = convert::transport(convert::set(spec.transport));
    let webhook_tools = spec.webhook_tools.into_iter().flatten();
    let server = |given| convert::server(given, &namespace, transport.timeout);
    Route {
        name: route.metadata.name.clone().unwrap_or_default(),
        uid: route.metadata.uid.clone(),
        deleting: route.metadata.deletion_timestamp.is_some(),
        servers: spec.servers.into_iter().map(server).collect(),
        webhook_tools: webhook_tools.map(convert::webhook_tool).collect(),
        auth: spec.auth.map(convert::auth),
        webhook: convert::webhook(convert::set(spec.webhook), &namespace),
        store: convert::store(convert::set(spec.store)),
        deletion: convert::deletion(convert::set(spec.deletion)),
        data_plane: convert::data_plane(convert::set(spec.data_plane)),
        telemetry: convert::telemetry(convert::set(spec.telemetry)),
        transport,
        namespace,
    }
}

/// The initial and the maximum wait of an exponential backoff, with defaults.
pub(crate) fn waits(given: &Exponential) -> (Duration, Duration) {
    let mut filled = given.clone();
    defaults::exponential(&mut filled);
    (convert::span(filled.initial), convert::span(filled.max))
}

#[cfg(test)]
mod tests;
