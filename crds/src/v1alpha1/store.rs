//! Where accepted calls and undelivered results are kept.
//!
//! Invariant: the kind of store of a live route never changes, so that no job is left behind in the old one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Size, form};

/// Where accepted calls and undelivered results are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = form::exactly_one_of(&MEMBERS)))]
pub struct Store {
    /// A database file on a volume of the pod's own: survives restarts and moves to another node. `{}` takes all
    /// defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded: Option<EmbeddedStore>,
    /// The memory of the pod: everything not yet delivered is lost when the pod ends. For plain gateways and trials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryStore>,
}

/// A database file on a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = claim_stands_alone()))]
pub struct EmbeddedStore {
    /// The size of the volume. It can grow where the StorageClass allows it, and never shrinks. 80 % of it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// The StorageClass of the volume. Absent: the cluster's default class.
    #[schemars(transform = &form::STORAGE_CLASS)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// How the volume is mounted: `ReadWriteOnce` or `ReadWriteOncePod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
    /// A PersistentVolumeClaim of the route's namespace to use instead of a new one, for example the one that a
    /// deleted route left behind with undelivered results. It is not deleted with the route.
    #[schemars(transform = &form::OBJECT_NAME)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_claim: Option<String>,
}

/// The memory of the pod. It has no settings: write `memory: {}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryStore {}

/// How a volume is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum AccessMode {
    /// By one node at a time.
    ReadWriteOnce,
    /// By one pod at a time.
    ReadWriteOncePod,
}

impl AccessMode {
    /// The mode as a PersistentVolumeClaim says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
        }
    }
}

pub(crate) const MEMBERS: [&str; 2] = ["embedded", "memory"];

pub(crate) const CLAIM_MESSAGE: &str =
    "existingClaim names a volume that exists already; take storageClassName and accessMode out";

fn claim_stands_alone() -> Vec<serde_json::Value> {
    let cel = "!has(self.existingClaim) || (!has(self.storageClassName) && !has(self.accessMode))";
    vec![form::rule(cel, CLAIM_MESSAGE)]
}

/// The rule on the whole spec: a change between kinds is refused, also one by leaving `store` out.
pub(super) fn kind_is_fixed() -> Vec<serde_json::Value> {
    let cel =
        "(has(self.store) && has(self.store.memory)) == (has(oldSelf.store) && has(oldSelf.store.memory))";
    let message = "the kind of store cannot be changed on a live route; make a second route and delete this one, \
                   which delivers what it holds before it goes";
    let mut rule = form::rule(cel, message);
    rule["fieldPath"] = ".store".into();
    vec![rule]
}
