//! The Secret keys a route refers to, read from files: `<dir>/secrets/<name>/<key>`.
//!
//! In a pod the kubelet writes them there from Secrets; on a laptop a person does. Invariant: a
//! key that cannot be read is reported by name and never stops the process.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use asyncmcp_crds::effective::{Header, HeaderValue};
use asyncmcp_crds::secret_keys;
use asyncmcp_crds::v1alpha1::{McpWebhookRouteSpec, SecretKeyRef};
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
    /// Reads every Secret key that `spec` refers to.
    pub(super) fn read(dir: &Path, spec: &McpWebhookRouteSpec) -> Self {
        let read = |key: SecretKeyRef| {
            let bytes = std::fs::read(path(dir, &key.name, &key.key)).ok();
            (
                (key.name, key.key),
                bytes.map(|bytes| Secret(Zeroizing::new(bytes))),
            )
        };
        Self {
            found: secret_keys(spec).into_iter().map(read).collect(),
        }
    }

    /// These values, without a file.
    #[cfg(test)]
    pub(crate) fn of<'a>(values: impl IntoIterator<Item = (SecretKeyRef, &'a str)>) -> Self {
        let secret = |text: &str| Some(Secret(Zeroizing::new(text.as_bytes().to_vec())));
        let found = values.into_iter();
        Self {
            found: found
                .map(|(named, text)| ((named.name, named.key), secret(text)))
                .collect(),
        }
    }

    /// The files they are, or would be, in.
    pub(super) fn files(&self, dir: &Path) -> Vec<PathBuf> {
        self.found
            .keys()
            .map(|(name, key)| path(dir, name, key))
            .collect()
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

fn path(dir: &Path, name: &str, key: &str) -> PathBuf {
    dir.join("secrets").join(name).join(key)
}
