//! Where accepted calls and undelivered results are stored.
//!
//! Invariant: neither the kind of store of an existing route nor its volume ever changes, so that no job is left behind in
//! the old one.

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
    /// a deleted route that still contains undelivered results. It is not deleted with the route, and cannot be changed
    /// once the route has used it.
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

/// The default of `embedded.size`, which the rule against smaller volumes needs too.
pub(crate) const DEFAULT_SIZE: &str = "8Gi";

pub(crate) const MEMBERS: [&str; 2] = ["embedded", "memory"];

pub(crate) const CLAIM_MESSAGE: &str =
    "existingClaim names an existing volume; remove storageClassName and accessMode";

fn claim_stands_alone() -> Vec<serde_json::Value> {
    let cel = "!has(self.existingClaim) || (!has(self.storageClassName) && !has(self.accessMode))";
    vec![form::rule(cel, CLAIM_MESSAGE)]
}

/// What a user does instead of changing a field that is fixed.
const WAY_OUT: &str =
    "create a second route and delete this one, which delivers its pending results before it is removed";

/// The rules on the whole spec: what the store of an existing route is on cannot be changed, also by removing `store`.
pub(super) fn is_fixed() -> Vec<serde_json::Value> {
    let kind =
        "(has(self.store) && has(self.store.memory)) == (has(oldSelf.store) && has(oldSelf.store.memory))";
    let same = |field: &str, default: &str| {
        let [now, before] = ["self", "oldSelf"].map(|spec| embedded(spec, field, default));
        format!("{} || ({now}) == ({before})", moves())
    };
    let kind_message = format!("the kind of store of an existing route cannot be changed; {WAY_OUT}");
    let message = |field: &str| format!("{field} of an existing route cannot be changed; {WAY_OUT}");
    let smaller = format!("the volume of an existing route cannot be made smaller; {WAY_OUT}");
    vec![
        at(".store", kind, &kind_message),
        at(
            ".store",
            &same("storageClassName", "''"),
            &message("storageClassName"),
        ),
        at(
            ".store",
            &same("accessMode", "'ReadWriteOnce'"),
            &message("accessMode"),
        ),
        at(".store", &grows(), &smaller),
    ]
}

/// The rule on the whole object: the claim is fixed as soon as the route has stored anything on one. Until then a
/// misspelt name can be corrected.
pub(super) fn claim_is_fixed() -> serde_json::Value {
    let [now, before] = ["self.spec", "oldSelf.spec"].map(|spec| embedded(spec, "existingClaim", "''"));
    let cel = format!("!has(oldSelf.status) || !has(oldSelf.status.store) || ({now}) == ({before})");
    let message = format!(
        "the route stores its results on the claim that status.store names, so existingClaim cannot be changed; to \
         use another claim, {WAY_OUT}"
    );
    at(".spec.store", &cel, &message)
}

/// A field of the embedded store below `spec`, or `default` if it is absent.
fn embedded(spec: &str, field: &str, default: &str) -> String {
    let store = format!("{spec}.store");
    format!(
        "has({store}) && has({store}.embedded) && has({store}.embedded.{field}) ? {store}.embedded.{field} : {default}"
    )
}

/// The route turns to an existing claim, or from it: whether it may is said by the rule on the claim.
fn moves() -> String {
    let [now, before] = ["self", "oldSelf"].map(|spec| embedded(spec, "existingClaim", "''"));
    format!("({now}) != ({before})")
}

/// Of an existing claim `size` is only the store's limit, which may be lowered.
fn grows() -> String {
    let default = format!("'{DEFAULT_SIZE}'");
    let [now, before] = ["self", "oldSelf"].map(|spec| {
        let size = embedded(spec, "size", &default);
        format!("quantity(string({size}))")
    });
    let adopted = embedded("self", "existingClaim", "''");
    format!(
        "{} || ({adopted}) != '' || {now}.compareTo({before}) >= 0",
        moves()
    )
}

fn at(field: &str, cel: &str, message: &str) -> serde_json::Value {
    let mut rule = form::rule(cel, message);
    rule["fieldPath"] = field.into();
    rule
}
