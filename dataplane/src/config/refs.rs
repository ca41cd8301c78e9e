//! The Secret keys a route refers to, read from files: `<dir>/secrets/<name>/<key>`.
//!
//! In a pod the kubelet writes them there from Secrets; on a laptop a person does. Invariant: a
//! key that cannot be read is reported by name and never stops the process.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use asyncmcp_crds::effective::{Header, HeaderValue, Route};
use asyncmcp_crds::v1alpha1::SecretKeyRef;
use zeroize::Zeroizing;

/// A Secret's bytes; wiped when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The value as text without surrounding white space, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok().map(str::trim)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the route's references resolve to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    found: BTreeMap<(String, String), Option<Secret>>,
}

impl Refs {
    /// Reads every Secret key that `route` refers to.
    pub(super) fn read(dir: &Path, route: &Route) -> Self {
        let found = secret_keys(route).map(|key| {
            let bytes = std::fs::read(path(dir, key)).ok();
            (
                (key.name.clone(), key.key.clone()),
                bytes.map(|bytes| Secret(Zeroizing::new(bytes))),
            )
        });
        Self {
            found: found.collect(),
        }
    }

    /// The files that [`Refs::read`] would look at.
    pub(super) fn paths(dir: &Path, route: &Route) -> Vec<PathBuf> {
        secret_keys(route).map(|key| path(dir, key)).collect()
    }

    /// The Secret key's value, if it could be read.
    pub fn secret(&self, key: &SecretKeyRef) -> Option<&Secret> {
        self.found.get(&(key.name.clone(), key.key.clone()))?.as_ref()
    }

    /// The keys that cannot be read, as `secrets/<name>/<key>`.
    pub fn missing(&self) -> Vec<String> {
        let missing = self.found.iter().filter(|(_, secret)| secret.is_none());
        missing
            .map(|((name, key), _)| format!("secrets/{name}/{key}"))
            .collect()
    }

    /// Headers with their Secrets filled in; one whose Secret cannot be read is left out (and is
    /// among [`Refs::missing`]).
    pub fn headers(&self, headers: &[Header]) -> Vec<(String, String)> {
        let value = |header: &Header| match &header.value {
            HeaderValue::Literal(text) => Some(text.clone()),
            HeaderValue::Secret(key) => self.secret(key)?.text().map(str::to_owned),
        };
        headers
            .iter()
            .filter_map(|header| Some((header.name.clone(), value(header)?)))
            .collect()
    }
}

fn path(dir: &Path, key: &SecretKeyRef) -> PathBuf {
    dir.join("secrets").join(&key.name).join(&key.key)
}

fn secret_keys(route: &Route) -> impl Iterator<Item = &SecretKeyRef> {
    let receiver = route
        .webhook
        .receivers
        .default
        .iter()
        .flat_map(|receiver| &receiver.headers);
    let otlp = route.telemetry.otlp.iter().flat_map(|otlp| &otlp.headers);
    let in_headers = receiver.chain(otlp).filter_map(|header| match &header.value {
        HeaderValue::Secret(key) => Some(key),
        HeaderValue::Literal(_) => None,
    });
    route.webhook.signing.iter().chain(in_headers)
}
