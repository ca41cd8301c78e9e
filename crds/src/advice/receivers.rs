//! Advice about receivers: lists that allow nothing, or far more than was probably meant.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Advice;
use crate::effective::{FromClients, Route};
use crate::v1alpha1::ReceiverPolicy;

const PATH: &str = "spec.webhook.receivers";

/// Wider ranges are hardly anybody's own network.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 7;

/// Whether a result could be delivered to anybody.
pub(super) fn check_usable(route: &Route, advice: &mut Advice) {
    let receivers = &route.webhook.receivers;
    let given = &receivers.from_clients;
    let may_be_named = match given.policy {
        ReceiverPolicy::Any => true,
        ReceiverPolicy::Allowlist => !given.allowed_hosts.is_empty() || !given.allowed_cidrs.is_empty(),
        ReceiverPolicy::Deny => false,
    };
    if receivers.default.is_none() && !may_be_named {
        let message = "no receiver can be used, so that calls of webhook tools are answered in the ordinary way; set \
                       default, or let clients name receivers (fromClients.allowedHosts)";
        advice.add(PATH, message);
    }
}

pub(super) fn check_lists(given: &FromClients, advice: &mut Advice) {
    let is_listed = !given.allowed_hosts.is_empty() || !given.allowed_cidrs.is_empty();
    if given.policy == ReceiverPolicy::Deny && is_listed {
        let message = "is Deny, so that allowedHosts and allowedCidrs have no effect";
        advice.add(format!("{PATH}.fromClients.policy"), message);
    }
    for (index, host) in given.allowed_hosts.iter().enumerate() {
        let path = format!("{PATH}.fromClients.allowedHosts[{index}]");
        if let Some(message) = about_host(host.as_str(), &given.allowed_cidrs) {
            advice.add(path, message);
        }
    }
    for (index, range) in given.allowed_cidrs.iter().enumerate() {
        let path = format!("{PATH}.fromClients.allowedCidrs[{index}]");
        if let Some(message) = about_range(*range) {
            advice.add(path, message);
        }
    }
}

fn about_host(host: &str, ranges: &[IpNet]) -> Option<String> {
    if let Some(suffix) = host.strip_prefix("*.")
        && !suffix.contains('.')
    {
        return Some(format!(
            "allows every host under .{suffix}; name a domain of your own"
        ));
    }
    let address: IpAddr = host.parse().ok()?;
    let is_covered = ranges.iter().any(|range| range.contains(&address));
    (is_private(address) && !is_covered).then(|| {
        format!(
            "{address} is not a public address, which allowedCidrs has to allow as well: add {}",
            IpNet::from(address)
        )
    })
}

/// The ranges that people use; the egress guard knows them all.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

fn about_range(range: IpNet) -> Option<String> {
    let widest = match range {
        IpNet::V4(_) => WIDEST_V4,
        IpNet::V6(_) => WIDEST_V6,
    };
    if range.prefix_len() < widest {
        return Some(format!(
            "{range} lets clients name receivers in this cluster and on this machine; list only the networks of receivers"
        ));
    }
    (range.trunc() != range).then(|| {
        format!(
            "{range} covers all of {}; write that, or a longer prefix",
            range.trunc()
        )
    })
}
