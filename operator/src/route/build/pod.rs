//! The pod template of a data plane: one restricted container, one volume with everything it reads.
//!
//! Invariant: it holds nothing that can change live. A change of the template replaces pods, so it holds only what
//! needs a new pod: image, resources, user, store, and which Secrets are mounted (not their contents).

mod volumes;

use super::{ADMIN_PORT, MCP_PORT, Plan};
use crate::digest::short;
use crate::labels;
use asyncmcp_crds::Quantity as Amount;
use asyncmcp_crds::effective::Store;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, HTTPGetAction, PodSecurityContext, PodSpec, PodTemplateSpec,
    Probe, ResourceRequirements, SeccompProfile, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// Hexadecimal digits of the template's hash.
const HASH_DIGITS: usize = 12;

/// The template, labelled with its own hash, and that hash.
pub(super) fn template(plan: &Plan<'_>) -> (PodTemplateSpec, String) {
    let mut template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels(plan)),
            annotations: Some([(labels::DEFAULT_CONTAINER.to_owned(), labels::CONTAINER.to_owned())].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(plan)),
    };
    let text = serde_json::to_string(&template).expect("a pod template is JSON");
    let hash = short(&text, HASH_DIGITS);
    let labels = template
        .metadata
        .get_or_insert_default()
        .labels
        .get_or_insert_default();
    labels.insert(labels::TEMPLATE.to_owned(), hash.clone());
    (template, hash)
}

fn labels(plan: &Plan<'_>) -> BTreeMap<String, String> {
    let mut labels = labels::all(plan.names().route());
    labels.extend(labels::pods(plan.names()));
    labels
}

fn spec(plan: &Plan<'_>) -> PodSpec {
    let grace = plan.valid.route.data_plane.termination_grace_period.as_secs();
    PodSpec {
        containers: vec![container(plan)],
        volumes: Some(volumes::volumes(plan)),
        service_account_name: Some(plan.names().dataplane()),
        automount_service_account_token: Some(false),
        // The environment variables for every Service of the namespace are not needed.
        enable_service_links: Some(false),
        security_context: Some(pod_security(plan)),
        termination_grace_period_seconds: i64::try_from(grace).ok(),
        ..PodSpec::default()
    }
}

fn container(plan: &Plan<'_>) -> Container {
    let data_plane = &plan.valid.route.data_plane;
    let image = data_plane.image.as_ref().unwrap_or(&plan.settings.image);
    Container {
        name: labels::CONTAINER.to_owned(),
        image: Some(image.clone()),
        args: Some(args(&plan.valid.route.store)),
        ports: Some([MCP_PORT, ADMIN_PORT].map(port).into()),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            failure_threshold: Some(6),
            ..probe("/livez")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(2),
            failure_threshold: Some(2),
            ..probe("/readyz")
        }),
        // The reason for a failed start then appears in the pod's status, and from there in the route's.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        resources: resources(plan),
        security_context: Some(container_security()),
        volume_mounts: Some(volumes::mounts(&plan.valid.route.store)),
        ..Container::default()
    }
}

fn args(store: &Store) -> Vec<String> {
    let mut args = vec![
        format!("--config-dir={}", volumes::CONFIG_DIR),
        format!("--listen=0.0.0.0:{}", MCP_PORT.1),
        format!("--admin-listen=0.0.0.0:{}", ADMIN_PORT.1),
    ];
    if let Store::Embedded(_) = store {
        args.push(format!("--state-dir={}", volumes::STATE_DIR));
    }
    args
}

fn port((name, port): (&str, i32)) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(ADMIN_PORT.0.to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

fn resources(plan: &Plan<'_>) -> Option<ResourceRequirements> {
    let given = &plan.valid.route.data_plane.resources;
    let amounts = |amounts: &Option<BTreeMap<String, Amount>>| {
        let amounts = amounts.as_ref()?;
        Some(
            amounts
                .iter()
                .map(|(name, amount)| (name.clone(), amount.to_api()))
                .collect::<BTreeMap<_, Quantity>>(),
        )
    };
    let (requests, limits) = (amounts(&given.requests), amounts(&given.limits));
    if requests.is_none() && limits.is_none() {
        return None;
    }
    Some(ResourceRequirements {
        requests,
        limits,
        ..ResourceRequirements::default()
    })
}

/// Meets the restricted Pod Security Standard, and lets the process write to the volume.
fn pod_security(plan: &Plan<'_>) -> PodSecurityContext {
    let user = &plan.settings.user;
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: user.user.0,
        run_as_group: user.group.0,
        fs_group: user.fs_group.0,
        // `Always` would walk all files of a large volume at each start.
        fs_group_change_policy: user.fs_group.0.map(|_| "OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}
