//! The keys of an issuer (JWK Set, RFC 7517), and which of them a token may be signed with.
//!
//! [`super::issuer`] keeps them. Invariant: only public keys that sign are in it; a key that names its algorithm verifies no
//! other, so that a token cannot choose how it is verified.

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::crypto::ALGORITHMS;

/// More keys than an issuer has; each that fits costs a token without a key id one verification.
const MAX_KEYS: usize = 32;

/// Keys. At least one.
#[derive(Clone, Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm it is for, if it says so.
    algorithm: Option<Algorithm>,
    public: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// The usable keys of a document; `None` where it is none or has none. Keys that are for something else are passed over.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(json).ok()?;
        let keys = document.keys.into_iter().filter_map(Key::of).take(MAX_KEYS);
        let keys: Vec<_> = keys.collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The keys that a token with this header may be signed with. Without a key id it may be any.
    pub(super) fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<DecodingKey> {
        let fits = |key: &&Key| {
            key.public.family() == algorithm.family()
                && key.algorithm.is_none_or(|only| only == algorithm)
                && id.is_none_or(|id| key.id.as_deref() == Some(id))
        };
        self.0.iter().filter(fits).map(|key| key.public.clone()).collect()
    }

    /// The ids, for the log.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.0.iter().filter_map(|key| key.id.as_deref()).collect()
    }
}

impl Key {
    fn of(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let signs = jwk.common.public_key_use.as_ref();
        if signs.is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let algorithm = match jwk.common.key_algorithm {
            Some(named) => Some(named.to_string().parse().ok()?),
            None => None,
        };
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        let is_public = ALGORITHMS.iter().any(|known| known.family() == public.family());
        is_public.then_some(Self {
            id: jwk.common.key_id,
            algorithm,
            public,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ec(id: &str, more: &Value) -> Value {
        let mut key = json!({"kty": "EC", "crv": "P-256", "kid": id, "x": "AA", "y": "AA"});
        let more = more.as_object().unwrap().clone();
        key.as_object_mut().unwrap().extend(more);
        key
    }

    fn fitting(keys: &[Value], id: Option<&str>, algorithm: Algorithm) -> usize {
        let set = KeySet::parse(json!({"keys": keys}).to_string().as_bytes());
        set.map_or(0, |set| set.fitting(id, algorithm).len())
    }

    #[test]
    fn a_key_serves_its_id_and_its_algorithm_and_signatures_alone() {
        let (id, es256) = (Some("a"), Algorithm::ES256);
        assert_eq!(fitting(&[ec("a", &json!({}))], id, es256), 1);
        assert_eq!(
            fitting(&[ec("a", &json!({"alg": "ES256", "use": "sig"}))], id, es256),
            1
        );
        assert_eq!(
            fitting(&[ec("a", &json!({})), ec("b", &json!({}))], None, es256),
            2
        );
        for (key, id, algorithm) in [
            (ec("b", &json!({})), id, es256),
            (ec("a", &json!({"alg": "ES384"})), id, es256),
            (ec("a", &json!({"use": "enc"})), id, es256),
            (ec("a", &json!({"alg": "ECDH-ES"})), id, es256),
            (ec("a", &json!({})), id, Algorithm::RS256),
            (
                ec("a", &json!({"kty": "oct", "k": "c2VjcmV0"})),
                id,
                Algorithm::HS256,
            ),
            (ec("a", &json!({"crv": "secp256k1"})), id, es256),
        ] {
            assert_eq!(fitting(std::slice::from_ref(&key), id, algorithm), 0, "{key}");
        }
    }

    #[test]
    fn an_unknown_key_hides_no_other_and_a_document_without_keys_is_none() {
        let keys = [json!({"kty": "new"}), json!(5), ec("a", &json!({}))];
        assert_eq!(fitting(&keys, Some("a"), Algorithm::ES256), 1);
        for none in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":{}}"#] {
            assert!(KeySet::parse(none.as_bytes()).is_none(), "{none}");
        }
    }
}
