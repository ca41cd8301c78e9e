//! First step of a reconcile: reads what it needs: the references, the ConfigMap, the pods and their reports.
//!
//! Invariant: it only reads, and never the contents of a Secret.

use super::apply::Owner;
use super::build::config_map;
use super::claim::{self, Claim};
use super::context::Context;
use super::feedback::{Observed, Reports};
use super::subject::Subject;
use super::validate::{self, Document};
use crate::kinds::{Key, Kind};
use crate::labels;
use crate::names::Names;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Failed to read the route's ConfigMap.
#[derive(Debug, thiserror::Error)]
#[error("failed to read ConfigMap {name}")]
pub(crate) struct Error {
    name: String,
    #[source]
    source: kube::Error,
}

/// What [`everything`] read for one reconcile.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Objects that the route refers to and that do not exist.
    pub(crate) missing: Vec<Key>,
    /// A hash over the versions of all Secrets and ConfigMaps that the route refers to.
    pub(crate) versions: u64,
    /// The claim that the store is on.
    pub(crate) claim: Option<Claim>,
    /// The route's pods, including old and terminating ones.
    pub(crate) pods: Vec<Observed>,
}

/// What the route's ConfigMap holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The document that pods should serve.
    pub(crate) current: Option<Document>,
    /// The last document that every pod served.
    pub(crate) last: Option<Document>,
}

impl Written {
    fn of(map: &ConfigMap) -> Self {
        let text = |key: &str| map.data.as_ref()?.get(key).cloned();
        let document = |json: &str, hash: &str| {
            Some(Document {
                json: text(json)?,
                hash: text(hash)?,
            })
        };
        Self {
            current: document(config_map::ROUTE, config_map::HASH),
            last: document(config_map::LAST_ROUTE, config_map::LAST_HASH),
        }
    }

    /// A pod may fall back to the version that, according to their reports, every pod serves.
    fn confirm(&mut self, pods: &[Observed]) {
        let Some(current) = &self.current else { return };
        let mut remaining = pods
            .iter()
            .filter(|observed| !observed.pod.terminating)
            .peekable();
        let serves = |observed: &Observed| {
            observed
                .report
                .as_ref()
                .is_some_and(|report| report.config_hash == current.hash)
        };
        if remaining.peek().is_some() && remaining.all(serves) && self.last.as_ref() != Some(current) {
            self.last = Some(current.clone());
        }
    }
}

/// Reads everything that a reconcile needs.
pub(crate) async fn everything(
    context: &Context,
    subject: &Subject,
    reports: &mut Reports,
    known: &mut Option<Written>,
) -> Result<Found, Error> {
    let references = register(context, subject);
    let namespace = subject.names.namespace();
    let pods = context.caches.pods_with(namespace, &labels::pods(&subject.names));
    let answers = context.poller.poll(&pods).await;
    let pods = reports.update(answers);
    let mut written = match known.take() {
        Some(written) => written,
        None => read_config_map(context, subject).await?,
    };
    written.confirm(&pods);
    *known = Some(written);
    Ok(Found {
        missing: missing(context, namespace, &references),
        versions: versions(context, namespace, &references),
        claim: claim::find(&context.caches, subject),
        pods,
    })
}

/// Registers the objects that this route depends on, before any of them is read: those it refers to, and those of its
/// children's names that another owner's object may take.
fn register(context: &Context, subject: &Subject) -> BTreeSet<Key> {
    let names = &subject.names;
    let references = match &subject.loaded {
        Ok(loaded) => validate::references(&loaded.route.spec),
        Err(_) => BTreeSet::new(),
    };
    let claim = claim::name(subject);
    let volume_keys = claim.map(|claim| Key::new(Kind::Secret, Names::keys_of(&claim)));
    let own = [
        Key::new(Kind::ConfigMap, names.config_map()),
        Key::new(Kind::Secret, names.keys()),
        Key::new(Kind::Service, names.dataplane()),
        Key::new(Kind::PersistentVolumeClaim, names.store()),
    ];
    let interest = references.iter().cloned().chain(own).chain(volume_keys).collect();
    context.interest.set(names.namespace(), names.route(), interest);
    references
}

fn missing(context: &Context, namespace: &str, references: &BTreeSet<Key>) -> Vec<Key> {
    references
        .iter()
        .filter(|key| context.caches.watches(key.kind) && context.caches.meta(namespace, key).is_none())
        .cloned()
        .collect()
}

fn versions(context: &Context, namespace: &str, references: &BTreeSet<Key>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let is_mounted = |key: &&Key| matches!(key.kind, Kind::Secret | Kind::ConfigMap);
    for key in references.iter().filter(is_mounted) {
        let version = context
            .caches
            .meta(namespace, key)
            .and_then(|meta| meta.metadata.resource_version.clone());
        (key, version).hash(&mut hasher);
    }
    hasher.finish()
}

async fn read_config_map(context: &Context, subject: &Subject) -> Result<Written, Error> {
    let name = subject.names.config_map();
    let api: Api<ConfigMap> = Api::namespaced(context.client.clone(), subject.names.namespace());
    match api.get_opt(&name).await {
        Ok(Some(map)) if Owner::of(&map.metadata, &subject.names) == Owner::Route => Ok(Written::of(&map)),
        Ok(_) => Ok(Written::default()),
        Err(source) => Err(Error { name, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::feedback::View;
    use asyncmcp_crds::StatusReport;
    use std::sync::Arc;

    fn document(hash: &str) -> Document {
        Document {
            json: format!("\"{hash}\""),
            hash: hash.to_owned(),
        }
    }

    fn pod(serves: &str, terminating: bool) -> Observed {
        let report = StatusReport {
            config_hash: serves.to_owned(),
            ..StatusReport::default()
        };
        let pod = View {
            terminating,
            ..View::default()
        };
        Observed {
            pod,
            report: Some(Arc::new(report)),
            trusted: true,
        }
    }

    #[test]
    fn only_a_document_that_every_pod_serves_becomes_the_last_one() {
        for (pods, expect) in [
            (vec![], "a"),
            (vec![pod("a", false)], "a"),
            (vec![pod("b", false), pod("a", false)], "a"),
            (vec![pod("b", false), pod("a", true)], "b"),
            (vec![pod("b", false)], "b"),
        ] {
            let mut written = Written {
                current: Some(document("b")),
                last: Some(document("a")),
            };
            written.confirm(&pods);
            assert_eq!(written.last, Some(document(expect)), "{pods:?}");
        }
    }

    #[test]
    fn a_config_map_is_read_back() {
        let data = [("route.json", "{}"), ("config-hash", "b")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let map = ConfigMap {
            data: Some(data.into()),
            ..ConfigMap::default()
        };
        let current = Document {
            json: "{}".to_owned(),
            hash: "b".to_owned(),
        };
        assert_eq!(
            Written::of(&map),
            Written {
                current: Some(current),
                last: None
            }
        );
    }
}
