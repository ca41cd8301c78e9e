//! The Secrets with keys: a route's (the key that encrypts session ids, the tokens of the admin port) and a volume's (the key that
//! encrypts the data on it).
//!
//! Called by `ensure`, once per route and once per volume.
//!
//! Invariant: randomness is an argument. A Secret is created and never applied again: a changed key would end every
//! session and make every stored value unreadable. A volume's keys are owned by its claim and live as long as it does,
//! so that a route that adopts the volume can read it. A route's are owned by its pods' `ServiceAccount`, which stays until
//! the route is drained: that needs no permission to change Secrets.

use super::meta;
use crate::labels;
use crate::names::Names;
use asyncmcp_crds::STORE_FINALIZER;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::json;
use std::num::NonZeroU32;

/// Length of a key in bytes.
pub(crate) const KEY: usize = 32;
/// The keys that encrypt the ids of legacy sessions.
pub(crate) const SESSIONS: &str = "sessions.json";
/// The keys that encrypt values in the store.
pub(crate) const STORE: &str = "store.json";
/// The token for the jobs API on the admin port.
pub(crate) const ADMIN_TOKEN: &str = "adminToken";

/// The token that reads jobs without payloads. Secrets of routes that are older than it lack it.
pub(crate) const VIEW_TOKEN: &str = "viewToken";

/// Random bytes for the Secret of a route.
#[derive(Clone, Copy)]
pub(crate) struct RandomBytes {
    /// The key of the key ring in [`SESSIONS`].
    pub(crate) sessions: [u8; KEY],
    /// The bytes that [`ADMIN_TOKEN`] encodes.
    pub(crate) token: [u8; KEY],
    /// The bytes that [`VIEW_TOKEN`] encodes.
    pub(crate) view: [u8; KEY],
}

/// The Secret of a new route, owned by the `ServiceAccount` with this uid.
pub(crate) fn of_route(names: &Names, account: &str, random: &RandomBytes) -> Secret {
    let token = |bytes: &[u8; KEY]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let first = NonZeroU32::MIN;
    let metadata = ObjectMeta {
        owner_references: Some(vec![owner("ServiceAccount", &names.dataplane(), account)]),
        ..meta(names, names.keys())
    };
    secret(
        metadata,
        [
            (SESSIONS, key_ring(first, &random.sessions)),
            (ADMIN_TOKEN, token(&random.token)),
            (VIEW_TOKEN, token(&random.view)),
        ],
    )
}

/// An existing claim, which owns the Secret with its volume's keys.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The Secret gets our finalizer.
    pub(crate) held: bool,
}

/// The Secret of a volume that has none. `id` is random too: values under this key can be distinguished from values
/// under any other. It has our finalizer from the start, if the operator is permitted to remove it again.
pub(crate) fn of_claim(names: &Names, claim: &Claim, id: NonZeroU32, key: &[u8; KEY]) -> Secret {
    let mut annotations = labels::argo_cd();
    annotations.insert(labels::HELD_BY.to_owned(), names.uid().to_owned());
    let metadata = ObjectMeta {
        owner_references: Some(vec![owner_of(claim)]),
        finalizers: claim.held.then(|| vec![STORE_FINALIZER.to_owned()]),
        annotations: Some(annotations),
        ..meta(names, Names::keys_of(&claim.name))
    };
    secret(metadata, [(STORE, key_ring(id, key))])
}

/// The claim as the owner of its volume's keys.
pub(crate) fn owner_of(claim: &Claim) -> OwnerReference {
    owner("PersistentVolumeClaim", &claim.name, &claim.uid)
}

fn owner(kind: &str, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: None,
        block_owner_deletion: None,
    }
}

fn secret<const N: usize>(metadata: ObjectMeta, data: [(&str, String); N]) -> Secret {
    let data = data.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())));
    Secret {
        metadata,
        data: Some(data.into()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// The JSON of a key ring with one key; id 0 means "not encrypted".
fn key_ring(id: NonZeroU32, key: &[u8; KEY]) -> String {
    let id = id.to_string();
    json!({"keys": {&id: BASE64_STANDARD.encode(key)}, "sealWith": id}).to_string()
}
