//! The operator's local view of the cluster: one cache per watched kind, filled by `controller`.
//!
//! Standby replicas fill theirs too, so that a new leader starts from a warm view.
//!
//! Invariant: read-only here; only the watches write.

use crate::kinds::{Key, Kind, Meta};
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// A route as returned by the API server, untyped: an older operator must not drop a newer field.
pub(crate) type RouteObject = DynamicObject;

/// The caches of one scope (the whole cluster, or one namespace).
#[derive(Clone)]
pub(crate) struct Caches {
    /// The namespace of the scope; `None` if it is the whole cluster.
    pub(crate) namespace: Option<String>,
    pub(crate) routes: Store<RouteObject>,
    /// Pods of data planes.
    pub(crate) pods: Store<Pod>,
    /// Metadata of everything else.
    pub(crate) metas: BTreeMap<Kind, Store<Meta>>,
    pub(crate) orphaned: Arc<Orphaned>,
}

/// The finalizer by which the API server says that a route was deleted with `--cascade=orphan`.
const ORPHAN: &str = "orphan";

/// The uids of routes that were deleted with `--cascade=orphan`. The garbage collector takes the finalizer that says so
/// off at once, often before a reconcile sees it; the watch sees every version.
#[derive(Debug, Default)]
pub(crate) struct Orphaned(Mutex<BTreeSet<String>>);

impl Orphaned {
    /// Remembers the route if this version of it says so.
    pub(crate) fn note(&self, route: &RouteObject) {
        let meta = &route.metadata;
        let is_orphaned = meta
            .finalizers
            .iter()
            .flatten()
            .any(|finalizer| finalizer == ORPHAN);
        if let Some(uid) = meta.uid.clone().filter(|_| is_orphaned) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid);
        }
    }

    pub(crate) fn contains(&self, uid: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(uid)
    }
}

impl Caches {
    /// Waits until every cache holds what the cluster held at the start.
    pub(crate) async fn warm(&self) {
        // A dropped writer means that the watches ended, and then the process ends too.
        let _ = self.routes.wait_until_ready().await;
        let _ = self.pods.wait_until_ready().await;
        for store in self.metas.values() {
            let _ = store.wait_until_ready().await;
        }
    }

    /// The kinds whose objects were not listed yet, with the namespace if there is one.
    pub(crate) fn cold(&self) -> Vec<String> {
        let routes = is_cold(&self.routes).then_some(asyncmcp_crds::KIND);
        let pods = is_cold(&self.pods).then_some("Pod");
        let metas = self.metas.iter().filter(|(_, store)| is_cold(store));
        let kinds = routes
            .into_iter()
            .chain(pods)
            .chain(metas.map(|(kind, _)| kind.as_str()));
        let named = |kind| {
            self.namespace
                .as_ref()
                .map_or_else(|| String::from(kind), |name| format!("{kind} in {name}"))
        };
        kinds.map(named).collect()
    }

    /// Whether objects of this kind are watched at all; Secrets need not be.
    pub(crate) fn watches(&self, kind: Kind) -> bool {
        self.metas.contains_key(&kind)
    }

    /// The metadata of an object, if the cache has it.
    pub(crate) fn meta(&self, namespace: &str, key: &Key) -> Option<Arc<Meta>> {
        let object = ObjectRef::new_with(&key.name, key.kind.resource()).within(namespace);
        self.metas.get(&key.kind)?.get(&object)
    }

    /// The metadata of every object of a kind in a namespace.
    pub(crate) fn metas_in(&self, namespace: &str, kind: Kind) -> Vec<Arc<Meta>> {
        let Some(store) = self.metas.get(&kind) else {
            return Vec::new();
        };
        store.state_filter(|meta| meta.metadata.namespace.as_deref() == Some(namespace))
    }

    /// The pods of a namespace that carry all these labels.
    pub(crate) fn pods_with(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Vec<Arc<Pod>> {
        self.pods.state_filter(|pod| {
            pod.metadata.namespace.as_deref() == Some(namespace)
                && labels.iter().all(|(key, value)| {
                    pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)) == Some(value)
                })
        })
    }
}

fn is_cold<K>(store: &Store<K>) -> bool
where
    K: kube::runtime::reflector::Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    store.wait_until_ready().now_or_never().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_listed_yet_is_named() {
        use crate::kinds::route_resource;
        use kube::runtime::reflector::store::{Writer, store};
        use kube::runtime::watcher::Event;
        let mut routes = Writer::new(route_resource());
        let (pods, _pods) = store();
        let secrets = Writer::new(Kind::Secret.resource());
        let caches = Caches {
            namespace: Some("tools".to_owned()),
            routes: routes.as_reader(),
            pods,
            metas: [(Kind::Secret, secrets.as_reader())].into(),
            orphaned: Arc::default(),
        };
        assert_eq!(
            caches.cold(),
            ["McpWebhookRoute in tools", "Pod in tools", "Secret in tools"]
        );
        routes.apply_watcher_event(&Event::Init);
        routes.apply_watcher_event(&Event::InitDone);
        assert_eq!(caches.cold(), ["Pod in tools", "Secret in tools"]);
    }

    #[test]
    fn a_route_stays_orphaned_when_the_finalizer_that_says_so_is_gone() {
        let mut object = crate::route::fixture::object(&crate::route::fixture::minimal());
        let orphaned = Orphaned::default();
        for (finalizers, expect) in [
            (serde_json::json!([]), false),
            (serde_json::json!(["orphan"]), true),
            (serde_json::json!([]), true),
        ] {
            object["metadata"]["finalizers"] = finalizers;
            orphaned.note(&serde_json::from_value(object.clone()).unwrap());
            assert_eq!(orphaned.contains(crate::route::fixture::UID), expect);
        }
    }
}
