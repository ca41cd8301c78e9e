//! The report of a data-plane pod at `/status` of its admin port; the operator polls it.
//!
//! Invariant: it contains no receiver, no client and no URL but the issuers', because it is served without a token. An operator must be
//! able to read the report of a data plane one version older or newer: fields are only added, and an absent field has a
//! default.

use serde::{Deserialize, Serialize};

use crate::v1alpha1::{DeliveryStatus, ServerState, WebhookToolStatus};

/// The state of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusReport {
    /// The hash of the route document that is served, as in its `config-hash` file.
    pub config_hash: String,
    /// Why the newest document is not served, if it was refused; the document of `config_hash` stays in effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedDocument>,
    /// Keys of Secrets that the route references and that cannot be read, as `secrets/<name>/<key>`.
    pub missing_keys: Vec<String>,
    /// Keys of Secrets that were read, but cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unusable_keys: Vec<UnusableKeyReport>,
    /// The issuers of `auth.jwt` of which no key was read since the pod started: their tokens are answered with 503.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers_without_keys: Vec<IssuerReport>,
    /// Why calls cannot be stored at present, if they cannot: each call of a webhook tool is refused then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_problem: Option<StoreProblemReport>,
    /// The servers as this pod sees them.
    pub servers: Vec<ServerReport>,
    /// The entries of `spec.webhookTools`, with the number of tools that each matches.
    pub webhook_tools: Vec<WebhookToolStatus>,
    /// Calls whose results are not delivered yet, in exact numbers.
    pub delivery: DeliveryStatus,
    /// Receivers that get no deliveries for now because they answered `webhook-delivery: disable`.
    #[serde(skip_serializing_if = "is_zero")]
    pub disabled_receivers: u32,
    /// What deliveries wait for that are due, with the number of receivers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingReport>,
    /// Whether the route is being deleted and the pod refuses new calls.
    pub draining: bool,
    /// Whether deliveries are not signed because the route configures no key.
    pub unsigned: bool,
    /// Fields of the document that this version does not know, by path.
    pub unknown_fields: Vec<String>,
    /// The keys that values in the store are encrypted with. A key that is not listed, and is not the newest, is no
    /// longer needed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub store_keys: Vec<StoreKeyReport>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A key of a Secret that was read, but cannot be used. Neither the message nor anything else contains its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UnusableKeyReport {
    /// The key, as `secrets/<name>/<key>`.
    pub key: String,
    /// What is wrong with its value, and what it has to be.
    pub message: String,
}

/// An issuer whose keys could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IssuerReport {
    /// The issuer, as in `spec.auth.jwt`. Clients see it, too, in the route's RFC 9728 metadata.
    pub issuer: String,
    /// What went wrong the last time, without a URL.
    pub message: String,
}

/// What the due deliveries of some receivers wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitingReport {
    /// As `waitingFor.reason` of a job, for example `breaker` or `signing_key`.
    pub reason: String,
    /// How many receivers.
    pub receivers: u32,
}

/// Why calls cannot be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoreProblemReport {
    /// What is wrong with the store.
    pub reason: StoreProblem,
    /// The same for people, with what to do about it.
    pub message: String,
}

/// What is wrong with a store. An operator takes a reason that it does not know for `StoreDown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreProblem {
    /// It has no space for new calls. Deliveries continue.
    StoreFull,
    /// Nothing can be stored.
    #[default]
    #[serde(other)]
    StoreDown,
}

impl StoreProblem {
    /// The reason as written in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StoreFull => "StoreFull",
            Self::StoreDown => "StoreDown",
        }
    }
}

/// A key that values in the store are encrypted with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoreKeyReport {
    /// The key's id in `store.json`.
    pub id: u32,
    /// How many values are encrypted with it.
    pub values: u64,
    /// Whether it is missing from `store.json`; jobs encrypted with it wait until it is back.
    pub missing: bool,
}

/// A document that a pod refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RefusedDocument {
    /// The hash of the refused document, as in its `config-hash` file.
    pub config_hash: String,
    /// What is wrong with it, including the field.
    pub message: String,
}

/// One server as a pod sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerReport {
    /// The name of the server in `spec.servers`.
    pub name: String,
    /// Whether the server can be used.
    pub state: ServerState,
    /// The MCP protocol version used with the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// The number of its tools that are offered.
    pub tools: u32,
    /// The number of these whose results are delivered by webhook.
    pub webhook_tools: u32,
    /// What is wrong; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_of_another_version_is_read() {
        assert_eq!(
            serde_json::from_value::<StatusReport>(json!({"future": 1})).unwrap(),
            StatusReport::default()
        );
        let newer = json!({"storeProblem": {"reason": "StoreFrozen", "message": "no"}});
        let problem = serde_json::from_value::<StatusReport>(newer)
            .unwrap()
            .store_problem;
        assert_eq!(problem.unwrap().reason, StoreProblem::StoreDown);
    }

    #[test]
    fn the_report_is_written_as_operators_read_it() {
        let oldest = serde_json::from_value(json!("2026-11-22T10:00:00Z")).unwrap();
        let report = StatusReport {
            config_hash: "c0ffee".to_owned(),
            refused: Some(RefusedDocument {
                config_hash: "bad".to_owned(),
                message: "spec.store: no".to_owned(),
            }),
            missing_keys: vec!["secrets/keys/new".to_owned()],
            unusable_keys: vec![UnusableKeyReport {
                key: "secrets/keys/old".to_owned(),
                message: "is empty".to_owned(),
            }],
            issuers_without_keys: vec![IssuerReport {
                issuer: "https://issuer.example".to_owned(),
                message: "it answered 503".to_owned(),
            }],
            store_problem: Some(StoreProblemReport {
                reason: StoreProblem::StoreFull,
                message: "the volume is full".to_owned(),
            }),
            servers: vec![ServerReport {
                name: "a".to_owned(),
                state: ServerState::Ready,
                tools: 2,
                ..Default::default()
            }],
            webhook_tools: vec![WebhookToolStatus {
                name: "run".to_owned(),
                matched: 1,
            }],
            delivery: DeliveryStatus {
                pending: 3,
                dead_lettered: 1,
                oldest_pending_time: Some(oldest),
            },
            unsigned: true,
            store_keys: vec![StoreKeyReport {
                id: 1,
                values: 7,
                missing: true,
            }],
            ..Default::default()
        };
        let written = json!({
            "configHash": "c0ffee",
            "refused": {"configHash": "bad", "message": "spec.store: no"},
            "missingKeys": ["secrets/keys/new"],
            "unusableKeys": [{"key": "secrets/keys/old", "message": "is empty"}],
            "issuersWithoutKeys": [{"issuer": "https://issuer.example", "message": "it answered 503"}],
            "storeProblem": {"reason": "StoreFull", "message": "the volume is full"},
            "servers": [{"name": "a", "state": "Ready", "tools": 2, "webhookTools": 0}],
            "webhookTools": [{"name": "run", "matched": 1}],
            "delivery": {"pending": 3, "deadLettered": 1, "oldestPendingTime": "2026-11-22T10:00:00Z"},
            "draining": false,
            "unsigned": true,
            "unknownFields": [],
            "storeKeys": [{"id": 1, "values": 7, "missing": true}],
        });
        assert_eq!(serde_json::to_value(&report).unwrap(), written);
        assert_eq!(serde_json::from_value::<StatusReport>(written).unwrap(), report);
    }
}
