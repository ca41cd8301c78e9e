//! The Secrets that a route references: the operator mounts them, and the data plane reports those that are missing.
//!
//! Invariant: every reference in any field of the spec is listed, each once.

use std::collections::BTreeSet;

use crate::v1alpha1::{Header, McpWebhookRouteSpec, SecretKeyRef};

/// The keys of Secrets that a route uses, sorted.
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
    let tokens = spec
        .auth
        .as_ref()
        .and_then(|auth| auth.bearer_secret_refs.as_ref());
    let headers = receiver.into_iter().chain(collector).flatten();
    signing
        .into_iter()
        .chain(tokens)
        .flatten()
        .chain(headers.filter_map(secret))
        .cloned()
        .collect()
}

fn secret(header: &Header) -> Option<&SecretKeyRef> {
    header.value_from.as_ref().map(|source| &source.secret_key_ref)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// Every `secretKeyRef` and every item of `secretRefs` in a document, however deep.
    fn written(value: &serde_json::Value) -> usize {
        let below = match value {
            serde_json::Value::Object(fields) => fields.values().map(written).sum(),
            serde_json::Value::Array(items) => items.iter().map(written).sum(),
            _ => 0,
        };
        below + usize::from(value.get("name").is_some() && value.get("key").is_some())
    }

    #[test]
    fn finds_every_reference_of_a_route_that_has_all_fields() {
        let fixture = fixtures::all()
            .into_iter()
            .find(|fixture| fixture.title == "every field")
            .unwrap();
        let spec = serde_json::from_value(fixture.spec.clone()).unwrap();
        let found: Vec<_> = secret_keys(&spec)
            .into_iter()
            .map(|found| format!("{}/{}", found.name, found.key))
            .collect();
        assert_eq!(
            found,
            [
                "clients/one",
                "clients/two",
                "keys/new",
                "keys.v1/old_key",
                "otlp/api-key",
                "receiver/authorization"
            ]
        );
        assert_eq!(found.len(), written(&fixture.spec));
    }
}
