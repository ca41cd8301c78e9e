//! One route at one moment: the object from the API server, parsed as far as possible. First step of a reconcile.
//!
//! Invariant: never fails. A route that cannot be parsed is a subject too; `validate` returns the error.

use crate::caches::RouteObject;
use crate::names::Names;
use asyncmcp_crds::load::{self, Loaded, Unknown};
use asyncmcp_crds::v1alpha1::StoreStatus;
use asyncmcp_crds::{ACCEPT_LOSS_ANNOTATION, DRAIN_FINALIZER, McpWebhookRouteStatus};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;

/// What a route says about its claim, besides the spec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) route: &'a str,
    /// `status.store`.
    pub(crate) store: Option<&'a StoreStatus>,
    /// The value of [`ACCEPT_LOSS_ANNOTATION`].
    pub(crate) accepted: Option<&'a str>,
}

/// A route that is being reconciled.
#[derive(Debug)]
pub(crate) struct Subject {
    /// As returned by the API server.
    pub(crate) object: Arc<RouteObject>,
    /// Its names and those of its children.
    pub(crate) names: Names,
    pub(crate) generation: i64,
    /// When its deletion began.
    pub(crate) deleted_at: Option<Timestamp>,
    /// Its current status; empty if there is none or it cannot be parsed.
    pub(crate) base: McpWebhookRouteStatus,
    /// The spec, typed and untyped, or why it cannot be parsed.
    pub(crate) loaded: Result<Loaded, load::Error>,
}

impl Subject {
    /// Parses a route as far as possible.
    pub(crate) fn read(object: Arc<RouteObject>) -> Self {
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

    /// It has this operator's finalizer.
    pub(crate) fn has_finalizer(&self) -> bool {
        let finalizers = self.object.metadata.finalizers.iter().flatten();
        finalizers.into_iter().any(|present| present == DRAIN_FINALIZER)
    }

    /// An annotation of the route.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.object
            .metadata
            .annotations
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }

    /// What the route says about its claim.
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            route: self.names.route(),
            store: self.base.store.as_ref(),
            accepted: self.annotation(ACCEPT_LOSS_ANNOTATION),
        }
    }

    /// The object that events are about.
    pub(crate) fn reference(&self) -> ObjectReference {
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
}
