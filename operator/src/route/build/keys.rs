//! The Secret with the keys of a route: what seals sessions, what seals stored values, and the admin token.
//!
//! Called by `ensure`, once in a route's life.
//!
//! Invariant: chance is an argument. The Secret is created and never applied again: a key that changed would end every
//! session and close every stored value.

use super::meta;
use crate::names::Names;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

/// Bytes of a key.
pub const KEY: usize = 32;
/// Seals the ids of legacy sessions.
pub const SESSIONS: &str = "sessions.json";
/// Seals values in the store.
pub const STORE: &str = "store.json";
/// Opens the jobs API of the admin port.
pub const ADMIN_TOKEN: &str = "adminToken";

/// Random bytes for everything in the Secret.
#[derive(Clone, Copy)]
pub struct Chance {
    /// For [`SESSIONS`].
    pub sessions: [u8; KEY],
    /// For [`STORE`].
    pub store: [u8; KEY],
    /// For [`ADMIN_TOKEN`].
    pub token: [u8; KEY],
}

/// The Secret of a new route.
pub fn build(names: &Names, chance: &Chance) -> Secret {
    let token = BASE64_URL_SAFE_NO_PAD.encode(chance.token);
    let data = [
        (SESSIONS, ring(&chance.sessions)),
        (STORE, ring(&chance.store)),
        (ADMIN_TOKEN, token),
    ];
    Secret {
        metadata: meta(names, names.keys()),
        data: Some(
            data.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())))
                .into(),
        ),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// A ring of one key, named `1`; 0 stands for "not sealed".
fn ring(key: &[u8; KEY]) -> String {
    json!({"keys": {"1": BASE64_STANDARD.encode(key)}, "sealWith": "1"}).to_string()
}
