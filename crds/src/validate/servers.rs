//! The servers of a route.
//!
//! Invariant: loopback URLs are allowed, because a server may run in the same pod as the data plane; metadata addresses are
//! not, because what answers there is no MCP server.

use super::{Findings, address, headers, references};
use crate::form;
use crate::v1alpha1::server::NOT_DISPATCHED;
use crate::v1alpha1::{Scheme, Server, ServerTls, ToolFilter, server};

pub(super) fn check(servers: &[Server], findings: &mut Findings) {
    findings.count("spec.servers", 1..=64, servers.len());
    findings.unique("spec.servers", servers.iter().map(|server| server.name.as_str()));
    for (index, server) in servers.iter().enumerate() {
        check_server(&format!("spec.servers[{index}]"), server, findings);
    }
    check_prefixes(servers, findings);
}

fn check_server(path: &str, server: &Server, findings: &mut Findings) {
    findings.form(format_args!("{path}.name"), &form::NAME, &server.name);
    findings.exactly_one(
        path,
        &server::MEMBERS,
        &[server.url.is_some(), server.service.is_some()],
    );
    findings.url(&format!("{path}.url"), &form::SERVER_URL, server.url.as_deref());
    address::check_url(&format!("{path}.url"), server.url.as_deref(), "servers", findings);
    if let Some(service) = &server.service {
        references::check_service(&format!("{path}.service"), service, findings);
    }
    if let Some(prefix) = &server.tool_prefix {
        findings.form(format_args!("{path}.toolPrefix"), &form::PREFIX, prefix);
    }
    if let Some(tools) = &server.tools {
        check_filter(&format!("{path}.tools"), tools, findings);
    }
    check_access(path, server, findings);
    findings.not_zero(format_args!("{path}.timeout"), server.timeout.as_ref());
    let jobs = server.max_concurrent_jobs;
    findings.maybe_range(format_args!("{path}.maxConcurrentJobs"), 1..=1000, jobs);
    let queued = server.max_queued_jobs;
    findings.maybe_range(format_args!("{path}.maxQueuedJobs"), 1..=10_000_000, queued);
    check_not_dispatched(&format!("{path}.notDispatched"), server, findings);
}

/// How the gateway identifies itself to the server, and the server to the gateway.
fn check_access(path: &str, server: &Server, findings: &mut Findings) {
    headers::check_to_server(&format!("{path}.headers"), server.headers.as_deref(), findings);
    if let Some(token) = &server.bearer_token_secret_ref {
        references::check_secret_key(&format!("{path}.bearerTokenSecretRef"), token, findings);
        let mut headers = server.headers.iter().flatten();
        let is_twice = headers.any(|header| header.name.eq_ignore_ascii_case("authorization"));
        findings.require(!is_twice, path, server::TOKEN_MESSAGE);
    }
    if let Some(tls) = &server.tls {
        findings.require(is_https(server), path, server::TLS_MESSAGE);
        check_tls(&format!("{path}.tls"), tls, findings);
    }
    if let Some(host) = &server.host {
        findings.form(format_args!("{path}.host"), &form::AUTHORITY, host);
    }
}

fn is_https(server: &Server) -> bool {
    let url = server.url.as_deref().unwrap_or_default();
    let scheme = server.service.as_ref().and_then(|service| service.scheme);
    url.starts_with("https://") || scheme == Some(Scheme::Https)
}

fn check_tls(path: &str, tls: &ServerTls, findings: &mut Findings) {
    let path_of_authorities = format!("{path}.caCertificateRefs");
    if let Some(authorities) = &tls.ca_certificate_refs {
        findings.count(&path_of_authorities, 1..=8, authorities.len());
        for (index, authority) in authorities.iter().enumerate() {
            let path = format!("{path_of_authorities}[{index}]");
            findings.form(format_args!("{path}.name"), &form::OBJECT_NAME, &authority.name);
            findings.form(format_args!("{path}.key"), &form::SECRET_KEY, &authority.key);
        }
    }
    if let Some(certificate) = &tls.client_certificate_ref {
        references::check_certificate(&format!("{path}.clientCertificateRef"), certificate, findings);
    }
    if let Some(name) = &tls.server_name {
        findings.form(format_args!("{path}.serverName"), &form::SERVER_NAME, name);
    }
}

fn check_not_dispatched(path: &str, server: &Server, findings: &mut Findings) {
    let statuses = server.not_dispatched.as_deref().unwrap_or_default();
    for (index, status) in statuses.iter().enumerate() {
        let known = NOT_DISPATCHED.contains(status);
        findings.require(known, format_args!("{path}[{index}]"), "must be 429 or 503");
        let again = statuses[..index].contains(status);
        findings.require(
            !again,
            format_args!("{path}[{index}]"),
            "is given twice; remove one",
        );
    }
}

fn check_filter(path: &str, filter: &ToolFilter, findings: &mut Findings) {
    findings.forms(
        &format!("{path}.include"),
        &form::TOOL_GLOB,
        64,
        filter.include.as_deref(),
    );
    findings.forms(
        &format!("{path}.exclude"),
        &form::TOOL_GLOB,
        64,
        filter.exclude.as_deref(),
    );
    let scopes = filter.scopes.as_deref();
    findings.forms(&format!("{path}.scopes"), &form::SCOPE, 16, scopes);
}

/// Reports the first conflicting pair of prefixes only: one change often resolves several conflicts.
fn check_prefixes(servers: &[Server], findings: &mut Findings) {
    let prefixes: Vec<_> = servers
        .iter()
        .map(|server| server.tool_prefix.as_deref().unwrap_or_default())
        .collect();
    let clash = |(one, prefix): (usize, &&str)| {
        let others = prefixes.iter().enumerate().filter(|(other, _)| *other != one);
        !prefix.is_empty() && others.into_iter().any(|(_, other)| other.starts_with(prefix))
    };
    let holds = !prefixes.iter().enumerate().any(clash);
    findings.require(holds, "spec.servers", server::PREFIX_MESSAGE);
}
