//! The MCP endpoint that clients connect to.
//!
//! Invariant: an origin or host that passes can be compared as text, without parsing it for each request.

use ipnet::IpNet;

use super::{Findings, references};
use crate::form;
use crate::v1alpha1::Transport;

pub(super) fn check(transport: Option<&Transport>, findings: &mut Findings) {
    let Some(transport) = transport else { return };
    if let Some(path) = &transport.path {
        findings.form("spec.transport.path", &form::MCP_PATH, path);
    }
    findings.not_zero("spec.transport.timeout", transport.timeout.as_ref());
    findings.not_zero("spec.transport.lifetime", transport.lifetime.as_ref());
    findings.forms(
        "spec.transport.allowedOrigins",
        &form::ORIGIN,
        128,
        transport.allowed_origins.as_deref(),
    );
    if let Some(tls) = &transport.tls {
        let path = "spec.transport.tls.certificateRef";
        references::check_certificate(path, &tls.certificate_ref, findings);
    }
    findings.forms(
        "spec.transport.hostnames",
        &form::HOST,
        128,
        transport.hostnames.as_deref(),
    );
    let proxies = transport.trusted_proxies.as_deref().unwrap_or_default();
    findings.count("spec.transport.trustedProxies", 0..=64, proxies.len());
    for (index, proxy) in proxies.iter().enumerate() {
        let path = format_args!("spec.transport.trustedProxies[{index}]");
        findings.require(proxy.parse::<IpNet>().is_ok(), path, form::CIDR.message());
    }
}
