//! Where accepted calls and undelivered results are stored.
//!
//! Invariant: the kind of store of an existing route never changes, so that no job is left behind in the old store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Size, form};

/// Where accepted calls and undelivered results are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = form::exactly_one_of(&MEMBERS)))]
pub struct Store {
    /// A database file on the pod's own volume. It survives restarts and rescheduling. `{}` selects all defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded: Option<EmbeddedStore>,
    /// The pod's memory. Calls and results that are not delivered yet are lost when the pod stops. For plain gateways
    /// and for trying things out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryStore>,
}

/// A database file on a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = claim_stands_alone()))]
pub struct EmbeddedStore {
    /// The size of the volume. It can be increased if the StorageClass allows it, and never decreased. The store uses
    /// at most 80 % of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// The StorageClass of the volume. Absent: the cluster's default class.
    #[schemars(transform = &form::STORAGE_CLASS)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// The access mode of the volume: `ReadWriteOnce` or `ReadWriteOncePod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
    /// An existing PersistentVolumeClaim in the route's namespace to use instead of a new one, for example the claim of
    /// a deleted route that still contains undelivered results. It is not deleted with the route.
    #[schemars(transform = &form::OBJECT_NAME)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_claim: Option<String>,
}

/// The pod's memory. It has no settings: write `memory: {}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryStore {}

/// The access mode of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum AccessMode {
    /// One node at a time may mount the volume.
    ReadWriteOnce,
    /// One pod at a time may mount the volume.
    ReadWriteOncePod,
}

impl AccessMode {
    /// The mode as written in a PersistentVolumeClaim.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
        }
    }
}

pub(crate) const MEMBERS: [&str; 2] = ["embedded", "memory"];

pub(crate) const CLAIM_MESSAGE: &str =
    "existingClaim names an existing volume; remove storageClassName and accessMode";

fn claim_stands_alone() -> Vec<serde_json::Value> {
    let cel = "!has(self.existingClaim) || (!has(self.storageClassName) && !has(self.accessMode))";
    vec![form::rule(cel, CLAIM_MESSAGE)]
}

/// The rule on the whole spec: changing the kind of store is refused, also by removing `store`.
pub(super) fn kind_is_fixed() -> Vec<serde_json::Value> {
    let cel =
        "(has(self.store) && has(self.store.memory)) == (has(oldSelf.store) && has(oldSelf.store.memory))";
    let message = "the kind of store of an existing route cannot be changed; create a second route and delete this \
                   one, which delivers its pending results before it is removed";
    let mut rule = form::rule(cel, message);
    rule["fieldPath"] = ".store".into();
    vec![rule]
}
