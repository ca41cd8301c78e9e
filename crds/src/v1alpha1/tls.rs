//! TLS: towards servers, whom the gateway trusts and how it identifies itself; towards clients, its certificate.
//!
//! Invariant: certificates and keys are in objects of the route's namespace, never in the route; what a route does not say
//! is verified as strictly as without it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form;

/// TLS of the connections to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerTls {
    /// The certificate authorities that may have issued the server's certificate, 1 to 8. Others are not trusted then,
    /// not even public ones. Absent: those of the data plane's image, which are the public ones.
    #[schemars(length(min = 1, max = 8))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificate_refs: Option<Vec<CaCertificateRef>>,
    /// The certificate by which the gateway identifies itself to the server (mutual TLS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<CertificateRef>,
    /// The name that the server's certificate must have, and that the gateway asks for (SNI). Absent: the host of the
    /// server's URL.
    #[schemars(transform = &form::SERVER_NAME)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

/// TLS of the connections of clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransportTls {
    /// The certificate of the MCP endpoint. The endpoint takes no connections while it cannot be read, except that a pod
    /// goes on with the last one that it could read.
    pub certificate_ref: CertificateRef,
}

/// A key of a ConfigMap or Secret with certificates of authorities, as PEM. New contents take effect without a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaCertificateRef {
    /// `ConfigMap` or `Secret`.
    pub kind: CertificateKind,
    /// The name of the ConfigMap or Secret, in the route's namespace.
    #[schemars(transform = &form::OBJECT_NAME)]
    pub name: String,
    /// The key within it, for example `ca.crt`.
    #[schemars(transform = &form::SECRET_KEY)]
    pub key: String,
}

/// The kind of object that holds certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum CertificateKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// A Secret of type `kubernetes.io/tls`: a certificate with those that issued it in `tls.crt`, and its private key in
/// `tls.key`, both as PEM. New contents take effect without a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRef {
    /// The name of the Secret, in the route's namespace.
    #[schemars(transform = &form::OBJECT_NAME)]
    pub name: String,
}
