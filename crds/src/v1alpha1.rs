//! Version `v1alpha1` of the route, as users write it. One kind of setting per file below.
//!
//! Read by the loader, `validate` and `effective`; the operator deserializes the object into it.
//!
//! Invariant: within this version the schema only grows, and every field does something. No field has a stored default:
//! an absent field stays absent, and `effective` supplies its value.

pub(crate) mod auth;
pub(crate) mod data_plane;
mod deletion;
pub(crate) mod header;
mod limits;
pub(crate) mod receivers;
mod reference;
pub(crate) mod server;
pub(crate) mod server_header;
mod status;
pub(crate) mod store;
mod telemetry;
mod tls;
mod transport;
pub(crate) mod webhook;
mod webhook_tool;

pub use auth::{Auth, Jwt};
pub use data_plane::{DataPlane, Resources};
pub use deletion::{Deletion, DeletionPolicy};
pub use header::{Header, HeaderSource};
pub use limits::{Breaker, DeadLetter, PerClient, PerReceiver};
pub use receivers::{DefaultReceiver, FromClients, ReceiverPolicy, Receivers};
pub use reference::{Scheme, SecretKeyRef, ServiceRef};
pub use server::{FailureMode, Server, ToolFilter};
pub use server_header::ServerHeader;
pub use status::{
    Address, DeliveryStatus, McpWebhookRouteStatus, ReplicaStatus, ServerState, ServerStatus, StoreStatus,
    Summary, WebhookToolStatus,
};
pub use store::{AccessMode, EmbeddedStore, MemoryStore, Store};
pub use telemetry::{LogLevel, Otlp, OtlpProtocol, Telemetry};
pub use tls::{CaCertificateRef, CertificateKind, CertificateRef, ServerTls, TransportTls};
pub use transport::Transport;
pub use webhook::{Exponential, Retry, Signing, Webhook};
pub use webhook_tool::{OnInterruption, WebhookTool};

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form;

/// The MCP servers behind the route, the tools whose results are delivered by webhook, and how they are delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[expect(clippy::duplicated_attributes, reason = "several columns have the same type")]
#[kube(
    group = "asyncmcp.dev",
    version = "v1alpha1",
    kind = "McpWebhookRoute",
    plural = "mcpwebhookroutes",
    shortname = "mwr",
    category = "asyncmcp",
    namespaced,
    status = "McpWebhookRouteStatus",
    derive = "PartialEq",
    doc = "An MCP endpoint in front of one or more MCP servers. Results of long-running tools are delivered by webhook.",
    crates(kube_core = "kube_core"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Servers", type_ = "string", json_path = ".status.summary.servers"),
    printcolumn(
        name = "Webhook-Tools",
        type_ = "integer",
        json_path = ".status.summary.webhookTools"
    ),
    printcolumn(name = "Pending", type_ = "integer", json_path = ".status.delivery.pending"),
    printcolumn(name = "Dead", type_ = "integer", json_path = ".status.delivery.deadLettered"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.address.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = spec_rules()))]
pub struct McpWebhookRouteSpec {
    /// The MCP servers behind this route, 1 to 64. Clients see one server that offers the tools of all of them.
    #[schemars(
        length(min = 1, max = 64),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["name"],
            "x-kubernetes-validations" = server::prefixes_are_apart()
        )
    )]
    pub servers: Vec<Server>,

    /// The tools whose results are delivered by webhook instead of in the response, at most 256 entries. A call of such
    /// a tool is stored, acknowledged at once and executed; its result is POSTed to the receiver, with retries, until
    /// it is delivered. If the list is absent, the route is a plain gateway.
    #[schemars(
        length(max = 256),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_tools: Option<Vec<WebhookTool>>,

    /// The MCP endpoint that clients connect to (Streamable HTTP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,

    /// Who may use the route: the credentials that clients need. Absent: everybody who reaches the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,

    /// How results are delivered: limits, retries, signatures and allowed receivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,

    /// Where accepted calls and undelivered results are stored. Set exactly one of `embedded` and `memory`. The kind of
    /// store of an existing route cannot be changed: create a second route and delete the first one, which delivers its
    /// pending results before it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<Store>,

    /// What happens to undelivered results when the route is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,

    /// The pods that run the data plane of this route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_plane: Option<DataPlane>,

    /// The class of the operator that serves this route: the operator that runs with the same `--operator-class`. If absent,
    /// the operator without a class serves it. No route has two operators; a route whose class no operator has is not
    /// served. Another value hands the route over to another operator.
    #[schemars(transform = &form::NAME)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_class: Option<String>,

    /// Logs and traces of the pods. Metrics are always served, on port 9464 at `/metrics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
}

fn spec_rules() -> Vec<serde_json::Value> {
    [store::is_fixed(), auth::what_needs_it()].concat()
}

/// Rules on the whole object. The derive macro has no attribute for them, so the generator adds them to the schema.
pub(crate) fn object_rules() -> Vec<serde_json::Value> {
    let form = &form::ROUTE_NAME;
    let cel = format!(
        "self.metadata.name.size() <= {} && self.metadata.name.matches(r'{}')",
        form.max(),
        form.pattern()
    );
    let name = form::rule(&cel, &format!("metadata.name {}", form.message()));
    vec![name, store::claim_is_fixed()]
}
