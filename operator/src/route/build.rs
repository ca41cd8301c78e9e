//! Fourth step of a reconcile: turns a valid route into the objects that serve it. One file per object.
//!
//! Invariant: pure and infallible; everything that can be wrong was found by `validate`.

pub(crate) mod config_map;
mod deployment;
pub(crate) mod keys;
mod pod;
pub(crate) mod pvc;
mod service;
mod service_account;
mod stateful_set;

use super::validate::{Document, Valid};
use crate::kinds::{Key, Kind};
use crate::labels;
use crate::names::Names;
use crate::settings::Settings;
use asyncmcp_crds::effective::{EmbeddedStore, Store};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Serialize;
use serde_json::Value;

/// Name and number of the MCP port.
pub(crate) const MCP_PORT: (&str, i32) = ("mcp", 8080);
/// Name and number of the port of probes, metrics and `/status`.
pub(crate) const ADMIN_PORT: (&str, i32) = ("admin", 9464);
/// Pods of a route. Autoscaling and more replicas come with the Postgres store.
pub(crate) const REPLICAS: i32 = 1;

/// The input of `build`.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) valid: &'a Valid,
    /// The last document that every pod served, if known.
    pub(crate) last: Option<&'a Document>,
    pub(crate) settings: &'a Settings,
}

impl Plan<'_> {
    fn names(&self) -> &Names {
        &self.valid.names
    }

    fn embedded(&self) -> Option<&EmbeddedStore> {
        match &self.valid.route.store {
            Store::Embedded(store) => Some(store),
            Store::Memory => None,
        }
    }

    fn meta(&self, name: String) -> ObjectMeta {
        meta(self.names(), name)
    }

    fn selector(&self) -> LabelSelector {
        LabelSelector {
            match_labels: Some(labels::selector(self.names().route())),
            ..LabelSelector::default()
        }
    }
}

/// The desired state of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Child {
    pub(crate) key: Key,
    /// The whole object as JSON, as it is sent for server-side apply.
    pub(crate) value: Value,
}

/// The desired state of all of a route's children.
#[derive(Clone, Debug)]
pub(crate) struct Children {
    /// In the order in which they are applied: what a pod needs comes before the pod.
    pub(crate) objects: Vec<Child>,
    /// The claim that the pod mounts.
    pub(crate) claim: Option<String>,
    /// Hash of the pod template: a pod with this label belongs to the current revision.
    pub(crate) template: String,
    /// The owner of the pods stays as it is: the route waits for its turn to get pods of a new version.
    pub(crate) holds_pods: bool,
}

impl Children {
    /// What is applied now.
    pub(crate) fn due(&self) -> impl Iterator<Item = &Child> {
        let is_held = |child: &&Child| self.holds_pods && child.key.kind.has_pods();
        self.objects.iter().filter(move |child| !is_held(child))
    }

    /// The names that no other owner may take, including that of the keys.
    pub(crate) fn keys<'a>(&'a self, names: &Names) -> impl Iterator<Item = Key> + use<'a> {
        let keys = Key::new(Kind::Secret, names.keys());
        std::iter::once(keys).chain(self.objects.iter().map(|child| child.key.clone()))
    }
}

/// A child that a route may have.
struct Row {
    kind: Kind,
    name: fn(&Names) -> String,
    /// `None` if the route has no such child.
    build: fn(&Plan<'_>, &PodTemplateSpec) -> Option<Value>,
}

/// In the order in which they are applied: what a pod needs comes before the pod. The keys are not in it: they
/// are created once and do not depend on the route.
const CHILDREN: [Row; 6] = [
    Row {
        kind: Kind::ServiceAccount,
        name: Names::dataplane,
        build: |plan, _| Some(json(&service_account::build(plan))),
    },
    Row {
        kind: Kind::ConfigMap,
        name: Names::config_map,
        build: |plan, _| Some(json(&config_map::build(plan))),
    },
    Row {
        kind: Kind::Service,
        name: Names::dataplane,
        build: |plan, _| Some(json(&service::build(plan))),
    },
    Row {
        kind: Kind::PersistentVolumeClaim,
        name: Names::store,
        build: |plan, _| Some(json(&pvc::build(plan, plan.embedded()?)?)),
    },
    Row {
        kind: Kind::StatefulSet,
        name: Names::dataplane,
        build: |plan, template| {
            plan.embedded()
                .map(|_| json(&stateful_set::build(plan, template.clone())))
        },
    },
    Row {
        kind: Kind::Deployment,
        name: Names::dataplane,
        build: |plan, template| {
            plan.embedded()
                .is_none()
                .then(|| json(&deployment::build(plan, template.clone())))
        },
    },
];

impl Row {
    fn child(&self, plan: &Plan<'_>, template: &PodTemplateSpec) -> Option<Child> {
        let key = Key::new(self.kind, (self.name)(plan.names()));
        (self.build)(plan, template).map(|value| Child { key, value })
    }
}

/// Builds the desired state of every child of the route.
pub(crate) fn children(plan: &Plan<'_>) -> Children {
    let (pod, hash) = pod::template(plan);
    Children {
        objects: CHILDREN.iter().filter_map(|row| row.child(plan, &pod)).collect(),
        claim: pvc::name(plan.names(), &plan.valid.route.store),
        template: hash,
        holds_pods: false,
    }
}

fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("a Kubernetes object is JSON")
}

/// Metadata of a child. It has no owner: a foreground deletion of the route, Argo CD's default, would delete whatever
/// the route owns before it is drained. `drain` makes the route the owner at the very end.
fn meta(names: &Names, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(names.namespace().to_owned()),
        labels: Some(labels::owned(names)),
        annotations: Some(labels::argo_cd()),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod live_or_roll;
#[cfg(test)]
mod tests;
