//! The labels and annotations that the operator writes and selects by. Called by `route::build` and the watches.
//!
//! Invariant: a selector's labels never change for a route, since selectors are immutable in the cluster.

use crate::names::Names;
use asyncmcp_crds::{ACCEPT_LOSS_ANNOTATION, CONFIG_ANNOTATION};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The route an object was made for: the well-known instance label.
pub(crate) const INSTANCE: &str = "app.kubernetes.io/instance";
/// What made the object; the value is [`OPERATOR`].
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The well-known name label; the value is [`DATAPLANE`].
pub(crate) const NAME: &str = "app.kubernetes.io/name";
/// The operator: value of [`MANAGED_BY`] and field manager of the children.
pub(crate) const OPERATOR: &str = "asyncmcp-operator";
/// Value of [`NAME`] on everything made for a route.
pub(crate) const DATAPLANE: &str = "asyncmcp-dataplane";
/// Pod label: hash of the pod template the pod was made from. A pod with another value belongs to an old revision.
pub(crate) const TEMPLATE: &str = "asyncmcp.dev/template";
/// Uid of the route that an object was made for. Objects of an earlier route with the same name have another one. It
/// says whose an object is: an owner reference would let a garbage collector delete it before the route is drained.
pub(crate) const ROUTE_UID: &str = "asyncmcp.dev/route-uid";
/// Annotation of a claim, and of the Secret with its volume's keys: uid of the route that uses it.
pub(crate) const HELD_BY: &str = "asyncmcp.dev/held-by";
/// Annotation of a claim: the Secret with its volume's keys was created. Keys are never created a second time.
pub(crate) const KEYS_MADE: &str = "asyncmcp.dev/store-keys";
/// Annotation that Kubernetes sets on a claim as soon as it has a volume.
pub(crate) const BOUND: &str = "pv.kubernetes.io/bind-completed";
/// The container of a data-plane pod.
pub(crate) const CONTAINER: &str = "dataplane";
/// The annotation that names the default container for `kubectl logs` and `kubectl exec`.
pub(crate) const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The well-known component label.
const COMPONENT: &str = "app.kubernetes.io/component";
/// The well-known label of what an object is part of.
const PART_OF: &str = "app.kubernetes.io/part-of";
const ARGO_COMPARE: &str = "argocd.argoproj.io/compare-options";
const ARGO_SYNC: &str = "argocd.argoproj.io/sync-options";

/// The labels and annotations that the operator reads, of its own objects and of others.
const READ: [&str; 14] = [
    INSTANCE,
    MANAGED_BY,
    NAME,
    COMPONENT,
    PART_OF,
    TEMPLATE,
    ROUTE_UID,
    HELD_BY,
    KEYS_MADE,
    BOUND,
    ARGO_COMPARE,
    ARGO_SYNC,
    CONFIG_ANNOTATION,
    ACCEPT_LOSS_ANNOTATION,
];
/// The longest value that is read: no value that the operator writes is longer.
const LONGEST: usize = 256;

/// Drops the labels and annotations that the operator does not read. The caches hold every Secret, ConfigMap, Service and
/// claim of the cluster, and anyone who may write one of them can annotate it with 256 KiB.
pub(crate) fn trim(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    for map in [&mut meta.labels, &mut meta.annotations] {
        let read = map.take().into_iter().flatten();
        let read = read.filter(|(key, value)| READ.contains(&key.as_str()) && value.len() <= LONGEST);
        *map = Some(read.collect::<BTreeMap<_, _>>()).filter(|map| !map.is_empty());
    }
}

/// The annotations of every object made for a route. Argo CD, where it tracks objects by [`INSTANCE`], takes an object
/// without an owner for one of an application with the route's name, and would prune it.
pub(crate) fn argo_cd() -> BTreeMap<String, String> {
    [
        (ARGO_COMPARE, "IgnoreExtraneous"),
        (ARGO_SYNC, "Prune=false,Delete=false"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The label selector of one route's pods.
pub(crate) fn selector(route: &str) -> BTreeMap<String, String> {
    [(NAME, DATAPLANE), (INSTANCE, route)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The labels of every object made for one route, as its owner.
pub(crate) fn owned(names: &Names) -> BTreeMap<String, String> {
    let mut labels = all(names.route());
    labels.insert(ROUTE_UID.to_owned(), names.uid().to_owned());
    labels
}

/// The labels of every object made for routes of this name.
pub fn all(route: &str) -> BTreeMap<String, String> {
    let mut labels = selector(route);
    labels.insert(COMPONENT.to_owned(), "dataplane".to_owned());
    labels.insert(PART_OF.to_owned(), "asyncmcp".to_owned());
    labels.insert(MANAGED_BY.to_owned(), OPERATOR.to_owned());
    labels
}

/// The labels that only this route's pods have.
pub(crate) fn pods(names: &Names) -> BTreeMap<String, String> {
    let mut labels = selector(names.route());
    labels.insert(ROUTE_UID.to_owned(), names.uid().to_owned());
    labels
}

/// The label selector of everything this operator made, for a watch.
pub(crate) fn managed() -> String {
    format!("{MANAGED_BY}={OPERATOR}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_not_kept_and_what_the_operator_wrote_is() {
        let names = Names::new("ns", "analytics", "u");
        let mut meta = ObjectMeta {
            labels: Some(owned(&names)),
            annotations: Some(argo_cd()),
            ..ObjectMeta::default()
        };
        let own = meta.clone();
        let labels = meta.labels.get_or_insert_default();
        labels.insert("team".to_owned(), "agents".to_owned());
        let annotations = meta.annotations.get_or_insert_default();
        annotations.insert("large".to_owned(), "x".repeat(1 << 18));
        annotations.insert(HELD_BY.to_owned(), "x".repeat(1 << 18));
        trim(&mut meta);
        assert_eq!(meta, own);
        trim(&mut meta);
        assert_eq!(meta, own, "trimming again changes nothing");
    }

    #[test]
    fn every_object_carries_what_its_selector_asks_for() {
        let labels = all("analytics");
        assert!(
            selector("analytics")
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
        );
        assert!(managed().contains(&labels[MANAGED_BY]));
    }
}
