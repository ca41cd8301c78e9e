//! Who may use the route.
//!
//! Invariant: an `auth` that passes names credentials: it never lets everybody in.

use std::collections::BTreeSet;

use super::{Findings, address, references};
use crate::form;
use crate::v1alpha1::{Jwt, McpWebhookRouteSpec, ReceiverPolicy, SecretKeyRef, auth};

pub(super) fn check(spec: &McpWebhookRouteSpec, findings: &mut Findings) {
    check_scopes(spec, findings);
    check_any(spec, findings);
    let Some(auth) = &spec.auth else { return };
    findings.require(
        auth.bearer_secret_refs.is_some() || auth.jwt.is_some(),
        "spec.auth",
        auth::CREDENTIALS_MESSAGE,
    );
    if let Some(refs) = &auth.bearer_secret_refs {
        check_bearer("spec.auth.bearerSecretRefs", refs, findings);
    }
    if let Some(issuers) = &auth.jwt {
        check_issuers("spec.auth.jwt", issuers, findings);
    }
}

/// Without access tokens nobody has a scope, so nobody could call what needs one.
fn check_scopes(spec: &McpWebhookRouteSpec, findings: &mut Findings) {
    if spec.auth.as_ref().is_some_and(|auth| auth.jwt.is_some()) {
        return;
    }
    for (index, server) in spec.servers.iter().enumerate() {
        let scopes = server.tools.as_ref().and_then(|tools| tools.scopes.as_ref());
        let path = format_args!("spec.servers[{index}].tools.scopes");
        findings.require(scopes.is_none(), path, auth::SCOPES_MESSAGE);
    }
    for (index, tool) in spec.webhook_tools.iter().flatten().enumerate() {
        let path = format_args!("spec.webhookTools[{index}].scopes");
        findings.require(tool.scopes.is_none(), path, auth::SCOPES_MESSAGE);
    }
}

fn check_any(spec: &McpWebhookRouteSpec, findings: &mut Findings) {
    let receivers = spec
        .webhook
        .as_ref()
        .and_then(|webhook| webhook.receivers.as_ref());
    let policy = receivers.and_then(|receivers| receivers.from_clients.as_ref()?.policy);
    findings.require(
        spec.auth.is_some() || policy != Some(ReceiverPolicy::Any),
        "spec.webhook.receivers.fromClients.policy",
        auth::ANY_MESSAGE,
    );
}

fn check_bearer(path: &str, refs: &[SecretKeyRef], findings: &mut Findings) {
    findings.count(path, 1..=16, refs.len());
    let mut seen = BTreeSet::new();
    for (index, reference) in refs.iter().enumerate() {
        let path = format!("{path}[{index}]");
        references::check_secret_key(&path, reference, findings);
        findings.require(
            seen.insert(reference),
            &path,
            "is given twice; each key of a Secret is one client",
        );
    }
}

fn check_issuers(path: &str, issuers: &[Jwt], findings: &mut Findings) {
    findings.count(path, 1..=8, issuers.len());
    let mut seen = BTreeSet::new();
    for (index, jwt) in issuers.iter().enumerate() {
        let path = format!("{path}[{index}]");
        check_issuer(&path, jwt, findings);
        let is_new = seen.insert(&jwt.issuer);
        findings.require(
            is_new,
            format_args!("{path}.issuer"),
            "is given twice; merge the two",
        );
    }
    let resources: BTreeSet<_> = issuers.iter().filter_map(|jwt| jwt.resource.as_ref()).collect();
    findings.require(resources.len() < 2, path, auth::RESOURCE_MESSAGE);
}

fn check_issuer(path: &str, jwt: &Jwt, findings: &mut Findings) {
    for (field, form, url) in [
        ("issuer", &form::ISSUER, Some(&jwt.issuer)),
        ("jwksUri", &form::JWKS_URL, jwt.jwks_uri.as_ref()),
    ] {
        let (path, url) = (format!("{path}.{field}"), url.map(String::as_str));
        findings.url(&path, form, url);
        address::check_url(&path, url, "issuers", findings);
    }
    findings.url(
        &format!("{path}.resource"),
        &form::RESOURCE,
        jwt.resource.as_deref(),
    );
    let audiences = jwt.audiences.as_deref();
    findings.forms(&format!("{path}.audiences"), &form::AUDIENCE, 16, audiences);
    if let Some(audiences) = audiences {
        findings.count(&format!("{path}.audiences"), 1..=usize::MAX, audiences.len());
    }
    findings.require(
        jwt.audiences.is_some() || jwt.resource.is_some(),
        path,
        auth::AUDIENCE_MESSAGE,
    );
    findings.forms(&format!("{path}.scopes"), &form::SCOPE, 16, jwt.scopes.as_deref());
}
