//! The operator's local view of the cluster: one cache per watched kind, filled by `controller`.
//!
//! Standby replicas fill theirs too, so that a new leader starts from a warm view.
//!
//! Invariant: read-only here; only the watches write.

use crate::kinds::{Key, Kind, Meta};
use k8s_openapi::api::core::v1::Pod;
use kube::core::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A route as returned by the API server, untyped: an older operator must not drop a newer field.
pub(crate) type RouteObject = DynamicObject;

/// The caches of one scope (the whole cluster, or one namespace).
#[derive(Clone)]
pub(crate) struct Caches {
    pub(crate) routes: Store<RouteObject>,
    /// Pods of data planes.
    pub(crate) pods: Store<Pod>,
    /// Metadata of everything else.
    pub(crate) metas: BTreeMap<Kind, Store<Meta>>,
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
