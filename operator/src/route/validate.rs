//! Second step of a reconcile: whether the route is valid, and the document that pods get. Pure.
//!
//! Invariant: [`Valid`] exists only for a valid route; every later step takes it and cannot fail because of the spec.

use super::subject::Subject;
use crate::kinds::{Key, Kind};
use crate::names::Names;
use asyncmcp_crds::v1alpha1::McpWebhookRouteSpec;
use asyncmcp_crds::{
    ObjectKey, Problems, canonical, config_hash, document, effective, load, referenced_keys, validate,
};
use std::collections::BTreeSet;

/// Why a route is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error<'a> {
    /// Its fields cannot be parsed.
    #[error("{0}")]
    Unreadable(&'a load::Error),
    #[error("{0}")]
    Invalid(Problems),
}

impl Error<'_> {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(error) => error.reason(),
            Self::Invalid(_) => "Invalid",
        }
    }
}

/// A version of the route, as pods get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Canonical JSON, so that the hash depends only on the content.
    pub(crate) json: String,
    /// Its hash, which pods report back.
    pub(crate) hash: String,
}

/// A valid route, and what the later steps need of it.
#[derive(Clone, Debug)]
pub(crate) struct Valid {
    /// Its names and those of its children.
    pub(crate) names: Names,
    /// The route with its defaults filled in.
    pub(crate) route: effective::Route,
    /// What pods should serve.
    pub(crate) document: Document,
    /// The keys of Secrets and ConfigMaps that it reads.
    pub(crate) keys: BTreeSet<ObjectKey>,
    /// Fields that this version does not know, by path; newer pods may know them.
    pub(crate) unknown: Vec<String>,
}

pub(crate) fn route(subject: &Subject) -> Result<Valid, Error<'_>> {
    let loaded = subject.loaded.as_ref().map_err(Error::Unreadable)?;
    validate(&loaded.route).map_err(Error::Invalid)?;
    let served = document(&loaded.value);
    Ok(Valid {
        names: subject.names.clone(),
        route: effective(&loaded.route),
        document: Document {
            hash: config_hash(&served),
            json: canonical(&served),
        },
        keys: referenced_keys(&loaded.route.spec),
        unknown: loaded.unknown.clone(),
    })
}

/// The objects that a route refers to but does not own.
pub(crate) fn references(spec: &McpWebhookRouteSpec) -> BTreeSet<Key> {
    let keys = referenced_keys(spec)
        .into_iter()
        .map(|key| Key::new(key.kind.into(), key.name));
    let servers = spec.servers.iter().filter_map(|server| server.service.as_ref());
    let webhook = spec.webhook.as_ref();
    let receiver = webhook.and_then(|webhook| webhook.receivers.as_ref()?.default.as_ref()?.service.as_ref());
    let notified =
        webhook.and_then(|webhook| webhook.dead_letter.as_ref()?.notify.as_ref()?.service.as_ref());
    let services = servers
        .chain(receiver)
        .chain(notified)
        .map(|service| Key::new(Kind::Service, &service.name));
    let claim = spec
        .store
        .as_ref()
        .and_then(|store| store.embedded.as_ref()?.existing_claim.as_ref());
    let claims = claim
        .into_iter()
        .map(|claim| Key::new(Kind::PersistentVolumeClaim, claim));
    keys.chain(services).chain(claims).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::fixture;
    use serde_json::json;

    #[track_caller]
    fn check(spec: &serde_json::Value, expect: Result<(), (&'static str, &str)>) {
        let subject = fixture::subject(spec);
        match (route(&subject), expect) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err((reason, text))) => {
                assert_eq!(error.reason(), reason);
                assert!(error.to_string().contains(text), "{error}");
            }
            (got, expect) => panic!("got {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn a_mistake_is_named_by_its_field() {
        check(&fixture::minimal(), Ok(()));
        check(&json!({"servers": "none"}), Err(("InvalidField", "servers")));
        check(
            &json!({"servers": [{"name": "a"}]}),
            Err(("Invalid", "spec.servers[0]")),
        );
    }

    #[test]
    fn a_newer_field_is_kept_in_the_document_and_reported() {
        let mut spec = fixture::minimal();
        spec["fromTheFuture"] = json!({"a": 1});
        let subject = fixture::subject(&spec);
        let valid = route(&subject).unwrap();
        assert!(valid.document.json.contains("fromTheFuture"));
        assert_eq!(valid.unknown, ["spec.fromTheFuture"]);
    }

    #[test]
    fn what_only_rolls_pods_does_not_change_the_hash() {
        let hash = |spec| route(&fixture::subject(&spec)).unwrap().document.hash;
        let mut rolls = fixture::minimal();
        rolls["dataPlane"] = json!({"image": "other:1"});
        let mut live = fixture::minimal();
        live["webhookTools"] = json!([{"name": "b"}]);
        assert_eq!(hash(fixture::minimal()), hash(rolls));
        assert_ne!(hash(fixture::minimal()), hash(live));
    }

    #[test]
    fn every_object_that_a_route_refers_to_is_listed() {
        let spec = json!({
            "servers": [{
                "name": "a",
                "service": {"name": "upstream", "port": 443, "scheme": "https"},
                "bearerTokenSecretRef": {"name": "token", "key": "a"},
                "tls": {
                    "caCertificateRefs": [{"kind": "ConfigMap", "name": "authority", "key": "ca.crt"}],
                    "clientCertificateRef": {"name": "client"},
                },
            }],
            "webhook": {
                "signing": {"secretRefs": [{"name": "sign", "key": "a"}]},
                "receivers": {"default": {"service": {"name": "receiver", "port": 80}}},
                "deadLetter": {"notify": {"service": {"name": "operations", "port": 80}}},
            },
            "store": {"embedded": {"existingClaim": "old"}},
        });
        let subject = fixture::subject(&spec);
        let names: Vec<String> = references(&subject.loaded.unwrap().route.spec)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            names,
            [
                "ConfigMap authority",
                "Secret client",
                "Secret sign",
                "Secret token",
                "Service operations",
                "Service receiver",
                "Service upstream",
                "PersistentVolumeClaim old"
            ]
        );
    }
}
