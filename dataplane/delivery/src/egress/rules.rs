//! The egress rules: pure functions over URLs and addresses. No DNS, no clock.
//!
//! Invariant: a rule that cannot be decided refuses; the list of addresses that are never allowed comes first.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use super::table;
use crate::egress::NamedBy;

/// Names that mean this machine, this network or this cluster, with their rules.
/// An exact `allowedHosts` entry lifts them.
const LOCAL_NAMES: &[(&str, &str)] = &[
    ("localhost", "name_localhost"),
    ("cluster.local", "name_cluster"),
    ("local", "name_local"),
    ("internal", "name_internal"),
    ("svc", "name_svc"),
];
/// Never allowed.
const METADATA_NAME: &str = "metadata.google.internal";
/// Rules that are not rows of the address tables.
const RULES: &[&str] = &[
    "url",
    "userinfo",
    "scheme",
    "policy",
    "host",
    "metadata_name",
    "name_single_label",
    table::GLOBAL_V6.rule,
];

/// What clients may do about receivers (`webhook.receivers.fromClients.policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPolicy {
    /// They may name none.
    Deny,
    /// They may name one that the lists allow.
    Allowlist,
    /// They may name any host, beside what the lists allow.
    Any,
}

/// A URL scheme a receiver may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// One entry of `allowedHosts`, normalised as URLs are (IDNA, lower case, no final dot).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This name or address.
    Exact(Host<String>),
    /// `*.` and this suffix: every name below it, at any depth, but not the suffix itself.
    Below(String),
}

/// The text is neither a host nor `*.` and a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host name, an address, or \"*.\" before a host name")]
pub struct HostPatternError(String);

impl std::str::FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let error = || HostPatternError(text.to_owned());
        if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
            return Ok(Self::Exact(Host::Ipv6(address)));
        }
        let (below, host) = text
            .strip_prefix("*.")
            .map_or((false, text), |suffix| (true, suffix));
        let host = without_dot(Host::parse(host).map_err(|_| error())?);
        match (below, host) {
            (_, Host::Domain(name)) if name.is_empty() || name.contains('*') => Err(error()),
            (true, Host::Domain(name)) => Ok(Self::Below(name)),
            (true, _) => Err(error()),
            (false, host) => Ok(Self::Exact(host)),
        }
    }
}

impl HostPattern {
    fn covers(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Self::Exact(known), host) => known == host,
            (Self::Below(suffix), Host::Domain(name)) => is_below(name, suffix),
            (Self::Below(_), _) => false,
        }
    }
}

/// `webhook.receivers.fromClients`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromClients {
    /// Whether clients may name receivers at all.
    pub policy: ClientPolicy,
    /// `allowedHosts`.
    pub hosts: Vec<HostPattern>,
    /// `allowedCidrs`: ranges that are allowed although they are not public.
    pub cidrs: Vec<IpNet>,
    /// `schemes`.
    pub schemes: Vec<Scheme>,
}

/// Why a receiver is refused: the `rule` label of `asyncmcp_egress_blocked_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    rule: &'static str,
}

impl Refusal {
    /// The rule's name, from a closed set ([`Rules::names`]).
    pub fn rule(self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.rule {
            "url" => "the receiver is not an absolute http or https URL with a host",
            "userinfo" => "the receiver's URL has user information, which is not allowed",
            "scheme" => {
                "the receiver's scheme is not among webhook.receivers.fromClients.schemes (default: https)"
            }
            "policy" => {
                "this route does not let clients name a receiver (webhook.receivers.fromClients.policy)"
            }
            "host" => "the receiver's host is not in webhook.receivers.fromClients.allowedHosts",
            _ => {
                return write!(
                    f,
                    "the host is not allowed by the egress policy (rule {})",
                    self.rule
                );
            }
        })
    }
}

/// A URL that the rules allowed. Only [`Rules::check_url`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(Url);

impl Allowed {
    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// The egress rules of a route. The author's own receiver has no settings: it may be any http or https URL
/// except the addresses that are never allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The rules for receivers that clients name.
    pub from_clients: FromClients,
}

impl Rules {
    /// The rules for what only the route's author names: servers, and where traces go.
    pub fn of_author() -> Self {
        let from_clients = FromClients {
            policy: ClientPolicy::Deny,
            hosts: Vec::new(),
            cidrs: Vec::new(),
            schemes: Vec::new(),
        };
        Self { from_clients }
    }

    /// Every rule's name, for metrics that start at zero.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let names = LOCAL_NAMES.iter().map(|(_, rule)| *rule);
        let rows = table::NEVER.iter().chain(table::BLOCKED).map(|row| row.rule);
        RULES.iter().copied().chain(names).chain(rows)
    }

    /// Whether a webhook may go to `url`, before its name is resolved.
    pub fn check_url(&self, named_by: NamedBy, url: &str) -> Result<Allowed, Refusal> {
        let url = Url::parse(url).map_err(|_| refuse("url"))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(refuse("scheme")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("userinfo"));
        }
        let host = without_dot(url.host().ok_or(refuse("url"))?.to_owned());
        check_metadata_name(&host)?;
        if named_by.is_client() {
            self.from_clients.check(scheme, &host)?;
        }
        if let Some(address) = literal(&host) {
            self.check_address(named_by, address)?;
        }
        Ok(Allowed(url))
    }

    /// Whether `address` may be dialled.
    pub fn check_address(&self, named_by: NamedBy, address: IpAddr) -> Result<(), Refusal> {
        let address = address.to_canonical();
        check_range(table::NEVER, address)?;
        if named_by.is_client() && !self.from_clients.opens(address) {
            check_range(table::BLOCKED, address)?;
            check_global(address)?;
        }
        let IpAddr::V6(outer) = address else { return Ok(()) };
        table::embedded(outer)
            .into_iter()
            .try_for_each(|inner| self.check_address(named_by, IpAddr::V4(inner)))
    }
}

impl FromClients {
    fn check(&self, scheme: Scheme, host: &Host<String>) -> Result<(), Refusal> {
        if self.policy == ClientPolicy::Deny {
            return Err(refuse("policy"));
        }
        if !self.schemes.contains(&scheme) {
            return Err(refuse("scheme"));
        }
        if self.hosts.contains(&HostPattern::Exact(host.clone())) {
            return Ok(());
        }
        let is_any = self.policy == ClientPolicy::Any;
        let covered = is_any || self.hosts.iter().any(|pattern| pattern.covers(host));
        let opened = literal(host).is_some_and(|address| self.opens(address));
        if !covered && !opened {
            return Err(refuse("host"));
        }
        check_name(host)
    }

    fn opens(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.cidrs.iter().any(|net| net.contains(&address))
    }
}

fn refuse(rule: &'static str) -> Refusal {
    Refusal { rule }
}

fn check_range(ranges: &'static [table::Range], address: IpAddr) -> Result<(), Refusal> {
    table::rule(ranges, address).map_or(Ok(()), |rule| Err(refuse(rule)))
}

fn check_global(address: IpAddr) -> Result<(), Refusal> {
    let global = table::GLOBAL_V6;
    if address.is_ipv4() || global.net.contains(&address) {
        Ok(())
    } else {
        Err(refuse(global.rule))
    }
}

fn check_metadata_name(host: &Host<String>) -> Result<(), Refusal> {
    match host {
        Host::Domain(name) if name == METADATA_NAME => Err(refuse("metadata_name")),
        _ => Ok(()),
    }
}

fn check_name(host: &Host<String>) -> Result<(), Refusal> {
    let Host::Domain(name) = host else { return Ok(()) };
    let local = LOCAL_NAMES
        .iter()
        .find(|(local, _)| name == local || is_below(name, local));
    match local {
        Some((_, rule)) => Err(refuse(rule)),
        None if !name.contains('.') => Err(refuse("name_single_label")),
        None => Ok(()),
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// `Host::parse` applied IDNA and lower case; a final dot only marks a name as absolute.
fn without_dot(host: Host<String>) -> Host<String> {
    match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        address => address,
    }
}

fn literal(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests;
