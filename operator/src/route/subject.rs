//! One route at one moment: what the API server gave, read as far as it can be read. First step of a reconcile.
//!
//! Invariant: total. A route that cannot be read is a subject too; `validate` says why.

use crate::caches::RouteObject;
use crate::names::Names;
use asyncmcp_crds::load::{self, Loaded, Unknown};
use asyncmcp_crds::{DRAIN_FINALIZER, McpWebhookRouteStatus};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;

/// A route that is being reconciled.
#[derive(Debug)]
pub struct Subject {
    /// As the API server gave it.
    pub object: Arc<RouteObject>,
    /// Its names and those of its children.
    pub names: Names,
    /// `metadata.generation`.
    pub generation: i64,
    /// When its deletion began.
    pub deleted_at: Option<Timestamp>,
    /// The status it has; empty where there is none or a foreign hand spoilt it.
    pub base: McpWebhookRouteStatus,
    /// Its typed form and its untyped one, or why there is none.
    pub loaded: Result<Loaded, load::Error>,
}

impl Subject {
    /// Reads a route.
    pub fn read(object: Arc<RouteObject>) -> Self {
        let value = serde_json::to_value(&*object).expect("an object from the API server is JSON");
        let base = value.get("status").cloned().unwrap_or_default();
        let meta = &object.metadata;
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        Self {
            names: Names::new(&text(&meta.namespace), &text(&meta.name), &text(&meta.uid)),
            generation: meta.generation.unwrap_or_default(),
            deleted_at: meta.deletion_timestamp.as_ref().map(|time| time.0),
            base: serde_json::from_value(base).unwrap_or_default(),
            loaded: load::from_value(value, Unknown::Report),
            object,
        }
    }

    /// Deletion waits for this operator.
    pub fn has_finalizer(&self) -> bool {
        self.has(DRAIN_FINALIZER)
    }

    /// The user asked to leave the children behind (`kubectl delete --cascade=orphan`).
    pub fn is_orphaning(&self) -> bool {
        self.has("orphan")
    }

    /// The object that events are about.
    pub fn reference(&self) -> ObjectReference {
        let meta = &self.object.metadata;
        ObjectReference {
            api_version: Some(asyncmcp_crds::API_VERSION.to_owned()),
            kind: Some(asyncmcp_crds::KIND.to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            field_path: None,
        }
    }

    fn has(&self, finalizer: &str) -> bool {
        let finalizers = self.object.metadata.finalizers.iter().flatten();
        finalizers.into_iter().any(|present| present == finalizer)
    }
}
