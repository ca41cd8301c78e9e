//! What the route uses keys of Secrets for, and whether their values can serve for that.
//!
//! `work::delivery_policy` and `auth` read keys through it, `/status` reports the ones that cannot be used. Invariant: no value, nor a
//! part of one, is in an error.

use std::collections::{BTreeMap, BTreeSet};

use asyncmcp_crds::UnusableKeyReport;
use asyncmcp_crds::effective::{Header, HeaderValue as Given};
use asyncmcp_crds::v1alpha1::SecretKeyRef;
use asyncmcp_delivery::signature::{self, SigningKey};
use http::HeaderValue;

use super::{Config, Refs};

/// The fewest characters of a token.
const MIN_TOKEN: usize = 16;

/// Why a key of a Secret cannot be used.
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
    Token,
    /// Another key has the same value.
    #[error("has the same value as another key: its client cannot be told from that one")]
    SameToken,
    /// A header cannot have this value.
    #[error("is not usable: a header has one line of visible characters")]
    Header,
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
            Err(Error::Token)
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
        let signing = signing.map(|named| (named, self.refs.signing_key(named).err()));
        let tokens = self
            .route
            .auth
            .iter()
            .flat_map(|auth| self.refs.bearer_tokens(&auth.bearer));
        let tokens = tokens.map(|(named, token)| (named, token.err()));
        let receiver = webhook.receivers.default.iter().flat_map(|it| &it.headers);
        let collector = self.route.telemetry.otlp.iter().flat_map(|it| &it.headers);
        let headers = receiver.chain(collector);
        let headers = headers.filter_map(|header| Some((secret(header)?, self.refs.header(header).err())));
        let unusable = signing
            .chain(tokens)
            .chain(headers)
            .filter_map(|(named, error)| Some((named, error?)))
            .filter(|(_, error)| *error != Error::Missing);
        let by_name: BTreeMap<_, _> = unusable.collect();
        by_name.into_iter().map(report).collect()
    }
}

/// RFC 6750, section 2.1, and long enough.
fn is_token(text: &str) -> bool {
    let before_padding = text.trim_end_matches('=');
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    before_padding.len() >= MIN_TOKEN && before_padding.bytes().all(is_legal)
}

fn secret(header: &Header) -> Option<&SecretKeyRef> {
    match &header.value {
        Given::Literal(_) => None,
        Given::Secret(named) => Some(named),
    }
}

fn report((named, error): (&SecretKeyRef, Error)) -> UnusableKeyReport {
    UnusableKeyReport {
        key: format!("secrets/{}/{}", named.name, named.key),
        message: error.to_string(),
    }
}
