//! What runs the pods of a route that keeps its jobs in memory.
//!
//! Invariant: a new pod is ready before an old one is stopped.

use super::{Plan, REPLICAS};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;

pub(super) fn build(plan: &Plan<'_>, template: PodTemplateSpec) -> Deployment {
    Deployment {
        metadata: plan.meta(plan.names().dataplane()),
        spec: DeploymentSpec {
            replicas: Some(REPLICAS),
            selector: plan.selector(),
            template,
            ..DeploymentSpec::default()
        },
        ..Deployment::default()
    }
}
