//! The keys of Secrets and ConfigMaps that a route refers to, read from files: `<dir>/secrets/<name>/<key>` and
//! `<dir>/configmaps/<name>/<key>`.
//!
//! In a pod the kubelet writes them there; on a laptop a person does. Invariant: a
//! key that cannot be read is reported by name and never stops the process.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use asyncmcp_crds::effective::{Header, HeaderValue};
use asyncmcp_crds::v1alpha1::{McpWebhookRouteSpec, SecretKeyRef};
use asyncmcp_crds::{ObjectKey, referenced_keys};
use zeroize::Zeroizing;

/// A Secret's bytes; wiped when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The value as text without surrounding white space, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok().map(str::trim)
    }

    /// The value as it is.
    pub fn bytes(&self) -> &[u8] {
        &self.0
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
    found: BTreeMap<ObjectKey, Option<Secret>>,
}

impl Refs {
    /// Reads every key that `spec` refers to.
    pub(super) fn read(dir: &Path, spec: &McpWebhookRouteSpec) -> Self {
        let read = |key: ObjectKey| {
            let bytes = std::fs::read(path(dir, &key)).ok();
            (key, bytes.map(|bytes| Secret(Zeroizing::new(bytes))))
        };
        Self {
            found: referenced_keys(spec).into_iter().map(read).collect(),
        }
    }

    /// These values, without a file.
    #[cfg(test)]
    pub(crate) fn of<'a>(values: impl IntoIterator<Item = (SecretKeyRef, &'a str)>) -> Self {
        let secret = |text: &str| Some(Secret(Zeroizing::new(text.as_bytes().to_vec())));
        let found = values.into_iter();
        Self {
            found: found.map(|(named, text)| (named.into(), secret(text))).collect(),
        }
    }

    /// The files they are, or would be, in.
    pub(super) fn files(&self, dir: &Path) -> Vec<PathBuf> {
        self.found.keys().map(|key| path(dir, key)).collect()
    }

    /// All keys, as `secrets/<name>/<key>` or `configmaps/<name>/<key>`.
    pub fn keys(&self) -> Vec<String> {
        self.found.keys().map(ToString::to_string).collect()
    }

    /// The key's value, if it could be read.
    pub fn get(&self, key: &ObjectKey) -> Option<&Secret> {
        self.found.get(key)?.as_ref()
    }

    /// The Secret key's value, if it could be read.
    pub fn secret(&self, key: &SecretKeyRef) -> Option<&Secret> {
        self.get(&key.clone().into())
    }

    /// The keys that cannot be read, as `secrets/<name>/<key>` or `configmaps/<name>/<key>`.
    pub fn missing(&self) -> Vec<String> {
        let missing = self.found.iter().filter(|(_, secret)| secret.is_none());
        missing.map(|(key, _)| key.to_string()).collect()
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

fn path(dir: &Path, key: &ObjectKey) -> PathBuf {
    dir.join(key.to_string())
}
