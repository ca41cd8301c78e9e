//! Allowed receivers: those that clients name, and the default that the route's author names.
//!
//! Invariant: a client cannot direct results to an address that the author did not allow, and not even the author can
//! direct them to link-local or metadata addresses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Header, Scheme, ServiceRef};
use crate::{HostPattern, form};

/// The receivers that results may be sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receivers {
    /// The receivers that clients may name. Only public addresses and those in `allowedCidrs` are contacted, whatever name
    /// resolves to them. Link-local and metadata addresses are always refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_clients: Option<FromClients>,
    /// The receiver for calls whose client names none. Set exactly one of `url` and `service`. Because the route's
    /// author sets it, it may be a private or loopback address and use plain `http`. If absent, such calls are answered
    /// synchronously.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultReceiver>,
}

/// The receivers that clients may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromClients {
    /// `Allowlist`: clients may name the receivers that `allowedHosts`, `allowedCidrs` and `schemes` allow; none if
    /// both lists are absent. `Deny`: clients may not name receivers. `Any`: clients may name any public host, with a scheme
    /// of `schemes`; requires `auth`, since anybody could have the route send requests otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<ReceiverPolicy>,
    /// The hosts that may be named, at most 128: a host name, an IP address, or `*.` and a domain, which matches its
    /// subdomains at any depth. An exact host name may be one that is otherwise refused, such as `localhost` or a name
    /// in the cluster. An address that is not public, whether it is named or a name resolves to it, must also be in
    /// `allowedCidrs`.
    #[schemars(length(max = 128), transform = form::HOST.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<HostPattern>>,
    /// Address ranges that are allowed although they are not public, at most 64, for example `10.0.0.0/8`. An IP
    /// address in one of them need not be listed in `allowedHosts`.
    #[schemars(length(max = 64), transform = form::CIDR.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_cidrs: Option<Vec<String>>,
    /// The schemes allowed in a receiver's URL: `https`, `http`, or both.
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schemes: Option<Vec<Scheme>>,
}

/// Whether clients may name receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum ReceiverPolicy {
    /// Clients may not name receivers.
    Deny,
    /// Clients may name the receivers on the allowlists.
    Allowlist,
    /// Clients may name any public receiver, and those on the allowlists.
    Any,
}

/// The receiver for calls whose client names none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = form::exactly_one_of(&DEFAULT_MEMBERS)))]
pub struct DefaultReceiver {
    /// The URL that results are POSTed to.
    #[schemars(transform = &form::RECEIVER_URL)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A Service in the route's namespace that results are POSTed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// Headers added to each delivery, at most 32, for example `Authorization`.
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<Header>>,
}

pub(crate) const DEFAULT_MEMBERS: [&str; 2] = ["url", "service"];
