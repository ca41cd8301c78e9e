//! The kinds of object the operator makes or looks at, and how the API server knows them. Called by the caches and by
//! the steps of a reconcile.
//!
//! Invariant: of these only metadata is cached, so the contents of Secrets never enter this process.

use crate::labels;
use asyncmcp_crds::v1alpha1::McpWebhookRoute;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};

/// How the API server knows routes.
pub fn route_resource() -> ApiResource {
    ApiResource::erase::<McpWebhookRoute>(&())
}

/// The metadata of any object.
pub type Meta = PartialObjectMeta<DynamicObject>;

/// A kind of object, besides routes and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Holds the route document; also referenced by routes.
    ConfigMap,
    /// Holds keys; also referenced by routes.
    Secret,
    /// Reaches the pods; also referenced by routes as a server or a receiver.
    Service,
    /// The pods' account, which may do nothing.
    ServiceAccount,
    /// The volume of an embedded store.
    PersistentVolumeClaim,
    /// Runs the pod of a route with an embedded store.
    StatefulSet,
    /// Runs the pods of a route without one.
    Deployment,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ConfigMap,
        Self::Secret,
        Self::Service,
        Self::ServiceAccount,
        Self::PersistentVolumeClaim,
        Self::StatefulSet,
        Self::Deployment,
    ];

    /// Kinds of which a route may stop asking for an object; the other children it always has.
    pub const PRUNED: [Self; 3] = [Self::StatefulSet, Self::Deployment, Self::PersistentVolumeClaim];

    /// Where the API server keeps it.
    pub fn resource(self) -> ApiResource {
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

    /// Its name as users know it.
    pub fn as_str(self) -> &'static str {
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

    /// Watched whole, since a route may refer to any of them, or only where the operator's label says it is ours.
    pub fn watch_selector(self) -> Option<String> {
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

/// An object by its kind and name; its namespace is the route's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
}

impl Key {
    /// The object `name` of this kind.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
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
