//! What the route uses keys of Secrets and ConfigMaps for, and whether their values can serve for that.
//!
//! `work::delivery_policy`, `auth` and `servers::access` read keys through it, `/status` reports the ones that cannot be
//! used. Invariant: no value, nor a part of one, is in an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use asyncmcp_crds::effective::{Header, HeaderValue as Given, Server};
use asyncmcp_crds::v1alpha1::SecretKeyRef;
use asyncmcp_crds::{ObjectKey, UnusableKeyReport};
use asyncmcp_delivery::signature::{self, SigningKey};
use http::HeaderValue;
use zeroize::Zeroizing;

use super::{Config, Refs};

/// The fewest characters of a token of clients.
const MIN_TOKEN: usize = 16;

/// Why a key of a Secret or ConfigMap cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such Secret, or it has no such key.
    #[error("cannot be read")]
    Missing,
    /// It has no value.
    #[error("is empty")]
    Empty,
    /// It is not UTF-8.
    #[error("is not text")]
    NotText,
    /// It does not sign.
    #[error("is not usable: {0}. This prints a new one: echo \"whsec_$(head -c 32 /dev/urandom | base64)\"")]
    Signing(#[source] signature::Error),
    /// It is not a token that a client can send, or one that can be guessed.
    #[error(
        "is not usable: a token has at least {MIN_TOKEN} characters, letters, digits and - . _ ~ + /. This prints a new one: openssl rand -hex 32"
    )]
    ClientToken,
    /// Another key has the same value.
    #[error("has the same value as another key: its client cannot be told from that one")]
    SameToken,
    /// A header cannot have this value.
    #[error("is not usable: a header has one line of visible characters")]
    Header,
    /// It is not a token that a server can be sent.
    #[error(
        "is not usable: a bearer token is one word of visible characters; leave out the scheme (\"Bearer\")"
    )]
    Bearer,
    /// It holds no certificate.
    #[error("is not usable: it contains no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// It holds something that is not quite PEM, or not quite a certificate.
    #[error("is not usable: its PEM is damaged, or what it contains is no certificate")]
    BadCertificate,
    /// It holds no private key.
    #[error(
        "is not usable: it contains no private key in PEM form without a passphrase (-----BEGIN PRIVATE KEY-----)"
    )]
    NoPrivateKey,
    /// It holds a private key that cannot be read, or of a kind that is not supported.
    #[error("is not usable: its private key is damaged, or is none of RSA, ECDSA and Ed25519")]
    BadPrivateKey,
    /// It is another certificate's.
    #[error("is not usable: it is not the private key of the certificate in tls.crt")]
    OtherPrivateKey,
}

/// A key that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The key.
    pub key: ObjectKey,
    /// Why it cannot be used.
    pub error: Error,
}

/// `key token of Secret analytics is empty`.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectKey { kind, name, key } = &self.key;
        write!(f, "key {key} of {} {name} {}", kind.as_str(), self.error)
    }
}

impl std::error::Error for Unusable {}

impl Error {
    /// The same about this key.
    pub fn of(self, key: impl Into<ObjectKey>) -> Unusable {
        let (key, error) = (key.into(), self);
        Unusable { key, error }
    }
}

impl Refs {
    /// A key that signs.
    pub fn signing_key(&self, named: &SecretKeyRef) -> Result<SigningKey, Error> {
        self.value(named)?.parse().map_err(Error::Signing)
    }

    /// The tokens of these keys, in their order.
    pub fn bearer_tokens<'a>(
        &'a self,
        named: &'a [SecretKeyRef],
    ) -> Vec<(&'a SecretKeyRef, Result<&'a str, Error>)> {
        let mut seen = BTreeSet::new();
        let token = |named| {
            let token = self.bearer_token(named).and_then(|token| {
                let is_new = seen.insert(token);
                is_new.then_some(token).ok_or(Error::SameToken)
            });
            (named, token)
        };
        named.iter().map(token).collect()
    }

    fn bearer_token(&self, named: &SecretKeyRef) -> Result<&str, Error> {
        let token = self.value(named)?;
        if is_token(token) {
            Ok(token)
        } else {
            Err(Error::ClientToken)
        }
    }

    /// The value of a header, marked as sensitive, since it may come from a Secret.
    pub fn header(&self, header: &Header) -> Result<HeaderValue, Error> {
        let text = match &header.value {
            Given::Literal(text) => text,
            Given::Secret(named) => self.value(named)?,
        };
        let mut value = HeaderValue::from_str(text).map_err(|_| Error::Header)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The value of an Authorization header with this token, marked as sensitive.
    pub fn bearer(&self, token: &SecretKeyRef) -> Result<HeaderValue, Error> {
        let token = self.value(token)?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Bearer);
        }
        let value = Zeroizing::new(format!("Bearer {token}"));
        let mut value = HeaderValue::from_str(&value).map_err(|_| Error::Bearer)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn value(&self, named: &SecretKeyRef) -> Result<&str, Error> {
        let text = self.secret(named).ok_or(Error::Missing)?.text();
        match text.ok_or(Error::NotText)? {
            "" => Err(Error::Empty),
            text => Ok(text),
        }
    }
}

impl Config {
    /// The keys that can be read and still not be used, each once. Those that cannot be read are [`Refs::missing`].
    pub fn unusable_keys(&self) -> Vec<UnusableKeyReport> {
        let webhook = &self.route.webhook;
        let signing = webhook.signing.iter();
        let signing = signing.filter_map(|named| Some(self.refs.signing_key(named).err()?.of(named.clone())));
        let tokens = self
            .route
            .auth
            .iter()
            .flat_map(|auth| self.refs.bearer_tokens(&auth.bearer));
        let tokens = tokens.filter_map(|(named, token)| Some(token.err()?.of(named.clone())));
        let receiver = webhook.receivers.default.iter().flat_map(|it| &it.headers);
        let collector = self.route.telemetry.otlp.iter().flat_map(|it| &it.headers);
        let notified = webhook.notify.iter().flat_map(|it| &it.headers);
        let headers = receiver
            .chain(notified)
            .chain(collector)
            .filter_map(|header| self.refs.unusable(header));
        let servers = self.route.servers.iter();
        let servers = servers.flat_map(|server| self.refs.unusable_of(server));
        let endpoint = self.route.transport.certificate.iter();
        let endpoint = endpoint.filter_map(|secret| self.refs.certificate(secret).err());
        let unusable = signing
            .chain(tokens)
            .chain(headers)
            .chain(servers)
            .chain(endpoint);
        let unusable = unusable.filter(|unusable| unusable.error != Error::Missing);
        let by_name: BTreeMap<_, _> = unusable
            .map(|unusable| (unusable.key.to_string(), unusable.error.to_string()))
            .collect();
        let report = |(key, message)| UnusableKeyReport { key, message };
        by_name.into_iter().map(report).collect()
    }
}

impl Refs {
    /// What is wrong with the value of a header that comes from a Secret.
    fn unusable(&self, header: &Header) -> Option<Unusable> {
        let Given::Secret(named) = &header.value else {
            return None;
        };
        Some(self.header(header).err()?.of(named.clone()))
    }

    /// What is wrong with the credentials and certificates of a server.
    fn unusable_of(&self, server: &Server) -> Vec<Unusable> {
        let headers = server.headers.iter().filter_map(|header| self.unusable(header));
        let token = server.bearer_token.iter();
        let token = token.filter_map(|named| Some(self.bearer(named).err()?.of(named.clone())));
        let authorities = server.tls.authorities.iter();
        let authorities = authorities.filter_map(|key| self.authorities(key).err());
        let certificate = server.tls.certificate.iter();
        let certificate = certificate.filter_map(|secret| self.certificate(secret).err());
        let all = headers.chain(token).chain(authorities).chain(certificate);
        all.collect()
    }
}

/// RFC 6750, section 2.1, and long enough.
fn is_token(text: &str) -> bool {
    let before_padding = text.trim_end_matches('=');
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    before_padding.len() >= MIN_TOKEN && before_padding.bytes().all(is_legal)
}
