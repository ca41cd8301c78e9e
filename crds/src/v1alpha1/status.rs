//! What the operator says about a route.
//!
//! Invariant: status holds no URL of a receiver, no name of a client and nothing secret.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form;

/// What the operator says about the route. Written by the operator only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpWebhookRouteStatus {
    /// The generation of the route that this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: the route has no mistakes. `ResolvedRefs`: the objects it names exist. `Programmed`: every pod
    /// serves its current form. `Ready`: accepted, programmed, and a pod is ready.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
    /// Where clients reach the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Figures for `kubectl get`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The servers as the pods see them. A state changes after three equal observations.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<ServerStatus>>,
    /// The entries of `spec.webhookTools` and how many tools each matches.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_tools: Option<Vec<WebhookToolStatus>>,
    /// The pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaStatus>,
    /// The hash of the form of the route that the pods are to serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_hash: Option<String>,
    /// What the route holds to deliver. The figures are rounded to two digits and written at most once a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryStatus>,
}

/// Where clients reach the route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// The URL of the MCP endpoint.
    pub url: String,
}

/// Figures for `kubectl get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many of the servers are ready, for example `2/3`.
    pub servers: String,
    /// How many tools answer by webhook.
    pub webhook_tools: i32,
}

/// One server as the pods see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The name of the server in `spec.servers`.
    pub name: String,
    /// `Ready`: it answers. `Unreachable`: it does not. `Rejected`: it answers, but not as an MCP server that this
    /// version can use. `Unknown`: it was not tried yet.
    pub state: ServerState,
    /// The MCP protocol version spoken with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// How many of its tools are offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<i32>,
    /// How many of these answer by webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_tools: Option<i32>,
    /// When the state changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// What is wrong, or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a server is good for at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum ServerState {
    /// It answers.
    Ready,
    /// It does not answer.
    Unreachable,
    /// It answers, but not as an MCP server that this version can use.
    Rejected,
    /// It was not tried yet.
    #[default]
    Unknown,
}

/// An entry of `spec.webhookTools` and how many tools it matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookToolStatus {
    /// The name or pattern of the entry.
    pub name: String,
    /// How many tools it matches. 0 is most likely a mistake in the name: the tool then answers in the ordinary way.
    pub matched: i32,
}

/// The pods of the route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// How many there should be.
    pub desired: i32,
    /// How many are ready.
    pub ready: i32,
    /// How many serve the current form of the route.
    pub programmed: i32,
}

/// What the route holds to deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// How many accepted calls have not been delivered yet.
    pub pending: i64,
    /// How many results were given up and are kept as dead letters.
    pub dead_lettered: i64,
    /// When the result of the oldest undelivered call came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_pending_time: Option<Time>,
}
