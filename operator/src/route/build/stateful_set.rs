//! What runs the pod of a route with an embedded store.
//!
//! Invariant: at most one pod holds the volume at any time. `Parallel`, since `OrderedReady` never replaces a pod that
//! does not become ready. No `volumeClaimTemplates`: see `pvc`.

use super::{Plan, REPLICAS};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;

pub(super) fn build(plan: &Plan<'_>, template: PodTemplateSpec) -> StatefulSet {
    StatefulSet {
        metadata: plan.meta(plan.names().dataplane()),
        spec: StatefulSetSpec {
            replicas: Some(REPLICAS),
            selector: plan.selector(),
            service_name: Some(plan.names().dataplane()),
            pod_management_policy: Some("Parallel".to_owned()),
            template,
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    }
}
