//! The kinds of object that the operator makes or reads, and their API resources. Called by the caches and by
//! the steps of a reconcile.
//!
//! Invariant: only metadata of these kinds is cached, so the contents of Secrets never enter this process.

use crate::labels;
use asyncmcp_crds::ObjectKind;
use asyncmcp_crds::v1alpha1::McpWebhookRoute;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};

/// The API resource of routes.
pub(crate) fn route_resource() -> ApiResource {
    ApiResource::erase::<McpWebhookRoute>(&())
}

/// The metadata of any object.
pub(crate) type Meta = PartialObjectMeta<DynamicObject>;

/// A kind of object other than routes and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Holds the route document; also referenced by routes.
    ConfigMap,
    /// Holds keys; also referenced by routes.
    Secret,
    /// Reaches the pods; also referenced by routes as a server or a receiver.
    Service,
    /// The pods' account, which has no permissions.
    ServiceAccount,
    /// The volume of an embedded store.
    PersistentVolumeClaim,
    /// Runs the pod of a route with an embedded store.
    StatefulSet,
    /// Runs the pods of a route without an embedded store.
    Deployment,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::ConfigMap,
        Self::Secret,
        Self::Service,
        Self::ServiceAccount,
        Self::PersistentVolumeClaim,
        Self::StatefulSet,
        Self::Deployment,
    ];

    /// Kinds of which a route may stop needing an object. It always has the other children, and a volume is kept.
    pub(crate) const PRUNED: [Self; 2] = [Self::StatefulSet, Self::Deployment];

    pub(crate) fn resource(self) -> ApiResource {
        match self {
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
        }
    }

    /// The kind as written in a manifest.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::ServiceAccount => "ServiceAccount",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::StatefulSet => "StatefulSet",
            Self::Deployment => "Deployment",
        }
    }

    /// Whether objects of this kind own pods.
    pub(crate) fn has_pods(self) -> bool {
        matches!(self, Self::StatefulSet | Self::Deployment)
    }

    /// `None` for a kind that routes may refer to: all its objects are watched. Else only those with our label.
    pub(crate) fn watch_selector(self) -> Option<String> {
        match self {
            Self::ConfigMap | Self::Secret | Self::Service | Self::PersistentVolumeClaim => None,
            Self::ServiceAccount | Self::StatefulSet | Self::Deployment => Some(labels::managed()),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<ObjectKind> for Kind {
    fn from(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::ConfigMap => Self::ConfigMap,
            ObjectKind::Secret => Self::Secret,
        }
    }
}

/// An object by its kind and name; its namespace is the route's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl Key {
    /// The object `name` of this kind.
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}
