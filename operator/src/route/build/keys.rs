//! The Secrets with keys: a route's (the key that encrypts session ids, the admin token) and a volume's (the key that
//! encrypts the data on it).
//!
//! Called by `ensure`, once per route and once per volume.
//!
//! Invariant: randomness is an argument. A Secret is created and never applied again: a changed key would end every
//! session and make every stored value unreadable. A volume's keys are owned by its claim and live as long as it does,
//! so that a route that adopts the volume can read it.

use super::meta;
use crate::labels;
use crate::names::Names;
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

/// Random bytes for the Secret of a route.
#[derive(Clone, Copy)]
pub(crate) struct RandomBytes {
    /// The key of the key ring in [`SESSIONS`].
    pub(crate) sessions: [u8; KEY],
    /// The bytes that [`ADMIN_TOKEN`] encodes.
    pub(crate) token: [u8; KEY],
}

/// The Secret of a new route.
pub(crate) fn of_route(names: &Names, random: &RandomBytes) -> Secret {
    let token = BASE64_URL_SAFE_NO_PAD.encode(random.token);
    let first = NonZeroU32::MIN;
    secret(
        meta(names, names.keys()),
        [
            (SESSIONS, key_ring(first, &random.sessions)),
            (ADMIN_TOKEN, token),
        ],
    )
}

/// An existing claim, which owns the Secret with its volume's keys.
pub(crate) struct Claim {
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// The Secret of a volume that has none. `id` is random too: if the Secret was deleted and made again, values under the
/// old key can be distinguished from values under the new one.
pub(crate) fn of_claim(names: &Names, claim: &Claim, id: NonZeroU32, key: &[u8; KEY]) -> Secret {
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "PersistentVolumeClaim".to_owned(),
        name: claim.name.clone(),
        uid: claim.uid.clone(),
        controller: None,
        block_owner_deletion: None,
    };
    let metadata = ObjectMeta {
        name: Some(Names::keys_of(&claim.name)),
        namespace: Some(names.namespace().to_owned()),
        labels: Some(labels::all(names.route())),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    secret(metadata, [(STORE, key_ring(id, key))])
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
