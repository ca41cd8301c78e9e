//! Keys that sign tokens: of each kind that issuers use, and put to uses that they are not for.
//!
//! Invariant: a token is what its parts say; nothing here checks whether that makes sense.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use ring::{hmac, signature};
use serde_json::{Value, json};

/// A key of 2,048 bits for tests only; ring makes none.
const RSA: &[u8] = include_bytes!("rsa.p8");
const UNUSUAL: &str = "the key was made just now";

/// A key pair with its id.
pub struct Key {
    id: String,
    algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
}

impl Key {
    /// A new key on P-256.
    pub fn es256(id: &str) -> Self {
        Self::ec(id, "ES256", &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    /// One of each kind, all under this id.
    ///
    /// # Panics
    /// Never: the keys are made here.
    pub fn of_each_kind(id: &str) -> Vec<Self> {
        let rsa = |algorithm, encoding| Self {
            id: id.to_owned(),
            algorithm,
            pair: Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA).expect(UNUSUAL)), encoding),
        };
        let ed = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect(UNUSUAL);
        let ed = Self {
            id: id.to_owned(),
            algorithm: "EdDSA",
            pair: Pair::Ed(Ed25519KeyPair::from_pkcs8(ed.as_ref()).expect(UNUSUAL)),
        };
        vec![
            Self::es256(id),
            Self::ec(id, "ES384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            ed,
            rsa("RS256", &RSA_PKCS1_SHA256),
            rsa("PS256", &RSA_PSS_SHA256),
        ]
    }

    fn ec(id: &str, algorithm: &'static str, kind: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).expect(UNUSUAL);
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).expect(UNUSUAL);
        Self {
            id: id.to_owned(),
            algorithm,
            pair: Pair::Ec(pair),
        }
    }

    /// The same key under another id.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self
        }
    }

    /// Its algorithm, as `alg`.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(
            &json!({"typ": "at+jwt", "alg": self.algorithm, "kid": self.id}),
            claims,
        )
    }

    /// The same under a header of the test's.
    ///
    /// # Panics
    /// Never: every message can be signed.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let random = SystemRandom::new();
        compact(header, claims, |message| match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).expect(UNUSUAL).as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .expect(UNUSUAL);
                signature
            }
        })
    }

    /// Tokens signed with a secret that everybody has: each form of the public key, taken for a key of HMAC.
    pub fn confused(&self, claims: &Value) -> Vec<String> {
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": self.id});
        let forms = [
            self.point().to_vec(),
            self.point()[1..].to_vec(),
            self.public().to_string().into_bytes(),
        ];
        let signed = |secret: &Vec<u8>| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            compact(&header, claims, |message| {
                hmac::sign(&key, message).as_ref().to_vec()
            })
        };
        forms.iter().map(signed).collect()
    }

    /// The public key as a JWK.
    pub fn public(&self) -> Value {
        let encode = |bytes: &[u8]| BASE64.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Ec(_) => {
                let (x, y) = self.point()[1..].split_at(self.point().len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.point())}),
            Pair::Rsa(pair, _) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": encode(&public.n), "e": encode(&public.e)})
            }
        };
        jwk["kid"] = self.id.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }

    fn point(&self) -> &[u8] {
        match &self.pair {
            Pair::Ec(pair) => pair.public_key().as_ref(),
            Pair::Ed(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair, _) => pair.public_key().as_ref(),
        }
    }
}

/// A token in its compact form (RFC 7515, section 3.1).
pub fn compact(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    );
    let signature = BASE64.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}
