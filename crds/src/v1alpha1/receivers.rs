//! Who may receive results: receivers that clients name, and the one that the route's author names.
//!
//! Invariant: a client never reaches an address that the author did not allow; an author never reaches link-local or
//! metadata addresses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Header, Scheme, ServiceRef};
use crate::{HostPattern, form};

/// The receivers that results may be sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receivers {
    /// Whether a client may name its own receiver, and where. Every address that is dialled is public or in
    /// `allowedCidrs`; link-local and metadata addresses are refused always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_clients: Option<FromClients>,
    /// The receiver for calls whose client names none. Set exactly one of `url` and `service`. As the word of the
    /// route's author it may be private, loopback and plain `http`. Absent: such calls are answered in the ordinary
    /// way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultReceiver>,
}

/// Whether a client may name its own receiver, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromClients {
    /// `Allowlist` allows the receivers that `allowedHosts`, `allowedCidrs` and `schemes` describe, none if these are
    /// absent. `Deny` allows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<ReceiverPolicy>,
    /// The hosts that may receive, 128 at most: a name, an IP address, or `*.` and a domain for any depth below it. An
    /// exact name may also be one that is refused otherwise, such as `localhost` or a name in the cluster.
    #[schemars(length(max = 128), transform = form::HOST.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<HostPattern>>,
    /// Address ranges that may receive although they are not public, 64 at most, for example `10.0.0.0/8`. An IP
    /// address in a URL may lie in one of them instead of being listed in `allowedHosts`.
    #[schemars(length(max = 64), transform = form::CIDR.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_cidrs: Option<Vec<String>>,
    /// The schemes that a receiver's URL may have: `https`, `http`, or both.
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schemes: Option<Vec<Scheme>>,
}

/// Whether a client may name its own receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum ReceiverPolicy {
    /// No.
    Deny,
    /// Those that are listed.
    Allowlist,
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
    /// A Service of the route's namespace that results are POSTed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// Headers added to each delivery, 32 at most, for example an `Authorization`.
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<Header>>,
}

pub(crate) const DEFAULT_MEMBERS: [&str; 2] = ["url", "service"];
