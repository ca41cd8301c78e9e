//! The Secrets and ConfigMaps that a route references: the operator mounts them, and the data plane reports those that are
//! missing.
//!
//! Invariant: every reference in any field of the spec is listed, each once.

use std::collections::BTreeSet;
use std::fmt;

use crate::v1alpha1::{
    CaCertificateRef, CertificateKind, CertificateRef, Header, HeaderSource, McpWebhookRouteSpec,
    SecretKeyRef, Server,
};

/// The key of a `kubernetes.io/tls` Secret that holds the certificate.
pub const CERTIFICATE: &str = "tls.crt";
/// The key of a `kubernetes.io/tls` Secret that holds the private key.
pub const PRIVATE_KEY: &str = "tls.key";

/// A key of a ConfigMap or Secret in the route's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The name of the object.
    pub name: String,
    /// The key within the object.
    pub key: String,
}

/// The kind of an object that a route reads keys of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl ObjectKind {
    /// The kind, as Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// The directory of the data plane that holds the objects of this kind.
    pub fn directory(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
        }
    }
}

impl ObjectKey {
    /// The keys of a `kubernetes.io/tls` Secret: the certificate and the private key.
    pub fn certificate(secret: &str) -> [Self; 2] {
        [CERTIFICATE, PRIVATE_KEY].map(|key| Self {
            kind: ObjectKind::Secret,
            name: secret.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// The path of the file that holds the value, such as `secrets/<name>/<key>`.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.directory(), self.name, self.key)
    }
}

impl From<SecretKeyRef> for ObjectKey {
    fn from(SecretKeyRef { name, key }: SecretKeyRef) -> Self {
        let kind = ObjectKind::Secret;
        Self { kind, name, key }
    }
}

impl From<CaCertificateRef> for ObjectKey {
    fn from(CaCertificateRef { kind, name, key }: CaCertificateRef) -> Self {
        let kind = match kind {
            CertificateKind::ConfigMap => ObjectKind::ConfigMap,
            CertificateKind::Secret => ObjectKind::Secret,
        };
        Self { kind, name, key }
    }
}

/// The keys of ConfigMaps and Secrets that a route uses, sorted.
pub fn referenced_keys(spec: &McpWebhookRouteSpec) -> BTreeSet<ObjectKey> {
    let tls = spec.servers.iter().filter_map(|server| server.tls.as_ref());
    let authorities = tls
        .clone()
        .flat_map(|tls| tls.ca_certificate_refs.iter().flatten());
    let transport = spec
        .transport
        .as_ref()
        .and_then(|transport| transport.tls.as_ref());
    let certificates = tls
        .filter_map(|tls| tls.client_certificate_ref.as_ref())
        .chain(transport.map(|tls| &tls.certificate_ref));
    secret_keys(spec)
        .into_iter()
        .map(ObjectKey::from)
        .chain(authorities.cloned().map(ObjectKey::from))
        .chain(certificates.flat_map(|CertificateRef { name }| ObjectKey::certificate(name)))
        .collect()
}

/// The keys of Secrets that a route uses, apart from certificates.
fn secret_keys(spec: &McpWebhookRouteSpec) -> BTreeSet<SecretKeyRef> {
    let webhook = spec.webhook.as_ref();
    let signing = webhook
        .and_then(|webhook| webhook.signing.as_ref())
        .map(|signing| &signing.secret_refs);
    let receiver = webhook.and_then(|webhook| webhook.receivers.as_ref()?.default.as_ref()?.headers.as_ref());
    let collector = spec
        .telemetry
        .as_ref()
        .and_then(|telemetry| telemetry.otlp.as_ref()?.headers.as_ref());
    let tokens = spec
        .auth
        .as_ref()
        .and_then(|auth| auth.bearer_secret_refs.as_ref());
    let notified =
        webhook.and_then(|webhook| webhook.dead_letter.as_ref()?.notify.as_ref()?.headers.as_ref());
    let headers = receiver.into_iter().chain(notified).chain(collector).flatten();
    signing
        .into_iter()
        .chain(tokens)
        .flatten()
        .chain(headers.filter_map(secret))
        .chain(spec.servers.iter().flat_map(of_server))
        .cloned()
        .collect()
}

fn of_server(server: &Server) -> impl Iterator<Item = &SecretKeyRef> {
    let headers = server.headers.iter().flatten();
    let sources = headers.filter_map(|header| header.value_from.as_ref());
    let keys = sources.map(|HeaderSource { secret_key_ref }| secret_key_ref);
    keys.chain(&server.bearer_token_secret_ref)
}

fn secret(header: &Header) -> Option<&SecretKeyRef> {
    header.value_from.as_ref().map(|source| &source.secret_key_ref)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// Every object with a name and a key, and the two keys of every certificate, in a document, however deep.
    fn written(value: &serde_json::Value) -> usize {
        let below = match value {
            serde_json::Value::Object(fields) => fields.values().map(written).sum(),
            serde_json::Value::Array(items) => items.iter().map(written).sum(),
            _ => 0,
        };
        let is_key = value.get("name").is_some() && value.get("key").is_some();
        let certificates = ["clientCertificateRef", "certificateRef"];
        let certificates = certificates.iter().filter(|field| value.get(**field).is_some());
        below + usize::from(is_key) + 2 * certificates.count()
    }

    #[test]
    fn finds_every_reference_of_a_route_that_has_all_fields() {
        let fixture = fixtures::all()
            .into_iter()
            .find(|fixture| fixture.title == "every field")
            .unwrap();
        let spec = serde_json::from_value(fixture.spec.clone()).unwrap();
        let found: Vec<_> = referenced_keys(&spec).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "configmaps/authorities/ca.crt",
                "secrets/authority/ca.crt",
                "secrets/clients/one",
                "secrets/clients/two",
                "secrets/endpoint/tls.crt",
                "secrets/endpoint/tls.key",
                "secrets/gateway/tls.crt",
                "secrets/gateway/tls.key",
                "secrets/keys/new",
                "secrets/keys.v1/old_key",
                "secrets/operations/authorization",
                "secrets/otlp/api-key",
                "secrets/receiver/authorization",
                "secrets/upstream/api-key",
                "secrets/upstream/token",
            ]
        );
        assert_eq!(found.len(), written(&fixture.spec));
    }
}
