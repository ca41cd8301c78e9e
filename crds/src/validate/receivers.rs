//! Allowed receivers, and those that the route's author names.
//!
//! Invariant: this reports mistakes early and is not a security control. Names resolve later and to other addresses, so
//! the data plane checks each address before it connects.

use ipnet::IpNet;

use super::{Findings, address, headers, references};
use crate::form;
use crate::v1alpha1::{DefaultReceiver, FromClients, Receivers, receivers};

const WHAT: &str = "receivers";

pub(super) fn check(receivers: &Receivers, findings: &mut Findings) {
    if let Some(from_clients) = &receivers.from_clients {
        check_from_clients("spec.webhook.receivers.fromClients", from_clients, findings);
    }
    if let Some(default) = &receivers.default {
        check_of_author("spec.webhook.receivers.default", default, findings);
    }
}

fn check_from_clients(path: &str, given: &FromClients, findings: &mut Findings) {
    findings.forms(
        &format!("{path}.allowedHosts"),
        &form::HOST,
        128,
        given.allowed_hosts.as_deref(),
    );
    let cidrs = given.allowed_cidrs.as_deref().unwrap_or_default();
    findings.count(&format!("{path}.allowedCidrs"), 0..=64, cidrs.len());
    for (index, cidr) in cidrs.iter().enumerate() {
        check_cidr(&format!("{path}.allowedCidrs[{index}]"), cidr, findings);
    }
    if let Some(schemes) = &given.schemes {
        let differ = schemes.len() != 2 || schemes[0] != schemes[1];
        findings.count(&format!("{path}.schemes"), 1..=2, schemes.len());
        findings.require(
            differ,
            format_args!("{path}.schemes"),
            "the schemes must be unique",
        );
    }
}

fn check_cidr(path: &str, cidr: &str, findings: &mut Findings) {
    match cidr.parse::<IpNet>() {
        Err(_) => findings.add(path, form::CIDR.message()),
        Ok(range) => findings.require(!address::is_never_reached(range), path, &address::refusal(WHAT)),
    }
}

/// A receiver that the route's author names.
pub(super) fn check_of_author(path: &str, given: &DefaultReceiver, findings: &mut Findings) {
    findings.exactly_one(
        path,
        &receivers::DEFAULT_MEMBERS,
        &[given.url.is_some(), given.service.is_some()],
    );
    findings.url(&format!("{path}.url"), &form::RECEIVER_URL, given.url.as_deref());
    address::check_url(&format!("{path}.url"), given.url.as_deref(), WHAT, findings);
    if let Some(service) = &given.service {
        references::check_service(&format!("{path}.service"), service, findings);
    }
    headers::check(&format!("{path}.headers"), given.headers.as_deref(), findings);
}
