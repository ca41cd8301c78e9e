//! Version `v1alpha1` of the route, as users write it. One idea a file below.
//!
//! Read by the loader, `validate` and `effective`; the operator reads the object through it.
//!
//! Invariant: within this version the schema only grows, and every field does something. No field has a stored
//! default: what is absent stays absent, and `effective` says what it means.

pub(crate) mod data_plane;
mod deletion;
pub(crate) mod header;
mod limits;
pub(crate) mod receivers;
mod reference;
pub(crate) mod server;
mod status;
pub(crate) mod store;
mod telemetry;
mod transport;
pub(crate) mod webhook;
mod webhook_tool;

pub use data_plane::{DataPlane, Resources};
pub use deletion::{Deletion, DeletionPolicy};
pub use header::{Header, HeaderSource};
pub use limits::{Breaker, DeadLetter, PerClient, PerReceiver};
pub use receivers::{DefaultReceiver, FromClients, ReceiverPolicy, Receivers};
pub use reference::{Scheme, SecretKeyRef, ServiceRef};
pub use server::{Server, ToolFilter};
pub use status::{
    Address, DeliveryStatus, McpWebhookRouteStatus, ReplicaStatus, ServerState, ServerStatus, Summary,
    WebhookToolStatus,
};
pub use store::{AccessMode, EmbeddedStore, MemoryStore, Store};
pub use telemetry::{LogLevel, Otlp, OtlpProtocol, Telemetry};
pub use transport::Transport;
pub use webhook::{Exponential, Retry, Signing, Webhook};
pub use webhook_tool::{OnInterruption, WebhookTool};

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form;

/// What a route asks for: the MCP servers behind it, the tools that answer by webhook, and how results are delivered.
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
    doc = "An MCP endpoint in front of one or more MCP servers, whose long-running tools answer by webhook.",
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
#[schemars(extend("x-kubernetes-validations" = store::kind_is_fixed()))]
pub struct McpWebhookRouteSpec {
    /// The MCP servers behind this route, 1 to 64. Clients see the tools of all of them as those of one server.
    #[schemars(
        length(min = 1, max = 64),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["name"],
            "x-kubernetes-validations" = server::prefixes_are_apart()
        )
    )]
    pub servers: Vec<Server>,

    /// The tools whose result goes to a webhook instead of into the answer, 256 at most. A call of such a tool is
    /// stored, acknowledged at once and executed; its result is POSTed to the receiver and retried until it is
    /// delivered. Without this list the route is a plain gateway.
    #[schemars(
        length(max = 256),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_tools: Option<Vec<WebhookTool>>,

    /// How clients reach the route: MCP over Streamable HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,

    /// How results are delivered: retries, signatures, and the receivers that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,

    /// Where accepted calls and undelivered results are kept. Set exactly one of `embedded` and `memory`. The kind of store cannot be changed on a live route:
    /// make a second route and delete the first, which delivers what it holds before it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<Store>,

    /// What happens to undelivered results when the route is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,

    /// The pods that serve the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_plane: Option<DataPlane>,

    /// Logs and traces of the pods. Metrics are always on, at port 9464, path `/metrics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
}

/// Rules on the whole object; the derive macro offers no place for them, so the generator puts them on the schema.
pub(crate) fn object_rules() -> Vec<serde_json::Value> {
    let form = &form::ROUTE_NAME;
    let cel = format!(
        "self.metadata.name.size() <= {} && self.metadata.name.matches(r'{}')",
        form.max(),
        form.pattern()
    );
    vec![form::rule(&cel, &format!("metadata.name {}", form.message()))]
}
