//! The status of a route, as the operator writes it.
//!
//! Invariant: status contains no receiver URL, no client name and no secret.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form;

/// The observed state of the route. Written by the operator only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpWebhookRouteStatus {
    /// The generation of the route that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: the route is valid. `ResolvedRefs`: the objects it references exist, and the keys of Secrets can be used.
    /// `Programmed`: every pod serves the current configuration. `Ready`: accepted, programmed, the volume and its keys are
    /// there, at least one pod is ready, calls can be stored, and results can be signed and sent with their headers.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
    /// The address that clients connect to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Summary for the columns of `kubectl get`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The servers as the pods see them. A state is updated after three identical observations.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<ServerStatus>>,
    /// The entries of `spec.webhookTools`, with the number of tools that each matches.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_tools: Option<Vec<WebhookToolStatus>>,
    /// The number of pods, by state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaStatus>,
    /// The hash of the current configuration: pods that report the same hash serve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_hash: Option<String>,
    /// The volume that calls and results are stored on. It stays the same as long as the route exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreStatus>,
    /// Calls whose results are not delivered yet. The numbers are rounded to two significant digits and updated at most
    /// once a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryStatus>,
    /// The number of receivers that get no deliveries for now because they answered `webhook-delivery: disable`; absent if
    /// there are none. Updated with `delivery`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_receivers: Option<i64>,
}

/// The address that clients connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// The URL of the MCP endpoint.
    pub url: String,
}

/// Summary for the columns of `kubectl get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The number of servers that are ready, of all, for example `2/3`.
    pub servers: String,
    /// The number of tools whose results are delivered by webhook.
    pub webhook_tools: i32,
}

/// One server as the pods see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The name of the server in `spec.servers`.
    pub name: String,
    /// `Ready`: the server responds. `Unreachable`: it does not respond. `Rejected`: it responds, but not as an MCP
    /// server that this version supports. `Unknown`: it has not been tried yet.
    pub state: ServerState,
    /// The MCP protocol version used with the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// The number of its tools that are offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<i32>,
    /// The number of these whose results are delivered by webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_tools: Option<i32>,
    /// When the state last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// What is wrong; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Whether a server can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum ServerState {
    /// The server responds.
    Ready,
    /// The server does not respond.
    Unreachable,
    /// The server responds, but not as an MCP server that this version supports.
    Rejected,
    /// The server has not been tried yet.
    #[default]
    Unknown,
}

/// An entry of `spec.webhookTools`, with the number of tools that it matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookToolStatus {
    /// The name or pattern of the entry.
    pub name: String,
    /// The number of tools that it matches. 0 is most likely a mistake in the name: the tool is then answered
    /// synchronously.
    pub matched: i32,
}

/// The number of pods of the route, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// The desired number of pods.
    pub desired: i32,
    /// The number of pods that are ready.
    pub ready: i32,
    /// The number of pods that serve the current configuration.
    pub programmed: i32,
}

/// The volume that calls and results are stored on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// The name of its PersistentVolumeClaim.
    pub claim: String,
    /// The uid of that claim. A claim of the same name with another uid is another volume.
    pub uid: String,
}

/// Calls whose results are not delivered yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// The number of accepted calls that are queued, running or being delivered.
    pub pending: i64,
    /// The number of results that are kept as dead letters.
    pub dead_lettered: i64,
    /// When the tool returned the oldest result that is not delivered yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_pending_time: Option<Time>,
}
