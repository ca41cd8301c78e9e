//! What a route refers to, so that the operator mounts it and the data plane says what is missing.
//!
//! Invariant: every reference that any field can hold is listed here, each once.

use std::collections::BTreeSet;

use crate::v1alpha1::{Header, McpWebhookRouteSpec, SecretKeyRef};

/// The keys of Secrets that a route reads, sorted.
pub fn secret_keys(spec: &McpWebhookRouteSpec) -> BTreeSet<SecretKeyRef> {
    let webhook = spec.webhook.as_ref();
    let signing = webhook
        .and_then(|webhook| webhook.signing.as_ref())
        .map(|signing| &signing.secret_refs);
    let receiver = webhook.and_then(|webhook| webhook.receivers.as_ref()?.default.as_ref()?.headers.as_ref());
    let collector = spec
        .telemetry
        .as_ref()
        .and_then(|telemetry| telemetry.otlp.as_ref()?.headers.as_ref());
    let headers = receiver.into_iter().chain(collector).flatten();
    signing
        .into_iter()
        .flatten()
        .chain(headers.filter_map(secret))
        .cloned()
        .collect()
}

fn secret(header: &Header) -> Option<&SecretKeyRef> {
    header.value_from.as_ref().map(|source| &source.secret_key_ref)
}
