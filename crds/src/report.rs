//! What a data-plane pod says about itself at `/status` of its admin port; the operator polls it.
//!
//! Invariant: it names no receiver, no client and no URL, since the port asks for no token. An operator reads the
//! report of a data plane one version older or newer: fields are only added, and absent ones have a meaning.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::{DeliveryStatus, ServerState, WebhookToolStatus};

/// The state of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusReport {
    /// The hash of the route document being served, as its `config-hash` file says it.
    pub config_hash: String,
    /// Why the newest document is not being served, if it is not; the one of `config_hash` is served meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedDocument>,
    /// Keys of Secrets that the route refers to and that cannot be read, as `secrets/<name>/<key>`.
    pub missing_keys: Vec<String>,
    /// The servers as this pod sees them.
    pub servers: Vec<ServerReport>,
    /// The entries of `spec.webhookTools` and how many tools each matches.
    pub webhook_tools: Vec<WebhookToolStatus>,
    /// What the pod holds to deliver, exact.
    pub delivery: DeliveryStatus,
    /// Whether the route is being deleted and the pod takes no new calls.
    pub draining: bool,
    /// Whether deliveries carry no signature because the route configures no key.
    pub unsigned: bool,
    /// Fields of the document that this version does not know, by path.
    pub unknown_fields: Vec<String>,
}

/// A document that a pod does not serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RefusedDocument {
    /// The hash of the refused document, as its `config-hash` file says it.
    pub config_hash: String,
    /// What is wrong with it, naming the field.
    pub message: String,
}

/// One server as a pod sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerReport {
    /// The name of the server in `spec.servers`.
    pub name: String,
    /// What the server is good for.
    pub state: ServerState,
    /// The MCP protocol version spoken with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// How many of its tools are offered.
    pub tools: u32,
    /// How many of these answer by webhook.
    pub webhook_tools: u32,
    /// What is wrong, or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl StatusReport {
    /// When the result of the oldest undelivered job came.
    pub fn oldest_pending(&self) -> Option<&Time> {
        self.delivery.oldest_pending_time.as_ref()
    }
}
