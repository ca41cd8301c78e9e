//! The parts of a Pod object that the operator uses. Called by `feedback`.
//!
//! Invariant: never fails, also for a pod that was just created.

use crate::labels;
use asyncmcp_crds::CONFIG_ANNOTATION;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A pod as the API server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Hash of the template it was made from.
    pub(crate) template: String,
    /// The value of [`CONFIG_ANNOTATION`].
    pub(crate) annotation: Option<String>,
    /// The IP address of its running container.
    pub(crate) address: Option<IpAddr>,
    /// It passes its readiness probe and is not terminating.
    pub(crate) ready: bool,
    /// It has a deletion timestamp.
    pub(crate) terminating: bool,
    /// Why it does not run, according to the kubelet or the scheduler.
    pub(crate) trouble: Option<String>,
    /// The scheduler finds no node for it.
    pub(crate) unscheduled: bool,
}

impl View {
    pub(crate) fn of(pod: &Pod) -> Self {
        let meta = &pod.metadata;
        let empty = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&empty);
        let terminating = meta.deletion_timestamp.is_some();
        let of = |map: &Option<BTreeMap<String, String>>, key: &str| {
            map.as_ref().and_then(|map| map.get(key)).cloned()
        };
        Self {
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            template: of(&meta.labels, labels::TEMPLATE).unwrap_or_default(),
            annotation: of(&meta.annotations, CONFIG_ANNOTATION),
            address: address(status),
            ready: !terminating && condition(status, "Ready").is_some_and(|ready| ready.status == "True"),
            terminating,
            trouble: trouble(status),
            unscheduled: unscheduled(status).is_some(),
        }
    }
}

/// Only a running container is polled; a pod may have an address before its container runs.
fn address(status: &PodStatus) -> Option<IpAddr> {
    container(status).filter(|container| is_running(container))?;
    status.pod_ip.as_ref()?.parse().ok()
}

fn container(status: &PodStatus) -> Option<&ContainerStatus> {
    status
        .container_statuses
        .iter()
        .flatten()
        .find(|it| it.name == labels::CONTAINER)
}

fn is_running(container: &ContainerStatus) -> bool {
    container
        .state
        .as_ref()
        .is_some_and(|state| state.running.is_some())
}

fn condition<'a>(status: &'a PodStatus, type_: &str) -> Option<&'a PodCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == type_)
}

fn unscheduled(status: &PodStatus) -> Option<&PodCondition> {
    condition(status, "PodScheduled").filter(|scheduled| scheduled.status == "False")
}

/// Why a pod does not run, according to the kubelet or the scheduler. The same problem gives the same text at every
/// stage of the kubelet's back-off.
fn trouble(status: &PodStatus) -> Option<String> {
    if let Some(unscheduled) = unscheduled(status) {
        return Some(sentence(
            unscheduled.reason.as_deref()?,
            unscheduled.message.as_deref(),
        ));
    }
    let container = container(status)?;
    let state = container.state.as_ref()?;
    match state
        .waiting
        .as_ref()
        .and_then(|waiting| Some((waiting.reason.as_deref()?, waiting)))
    {
        Some(("ErrImagePull" | "ImagePullBackOff", waiting)) => {
            let why = waiting.message.as_deref().and_then(pull_error);
            let what = format!("ImagePullBackOff: image {} cannot be pulled", container.image);
            Some(sentence(&what, why.as_deref()))
        }
        Some(("ContainerCreating" | "PodInitializing" | "CrashLoopBackOff", _)) | None => crash(container),
        Some((reason, waiting)) => {
            crash(container).or_else(|| Some(sentence(reason, waiting.message.as_deref())))
        }
    }
}

/// How the container failed last, while it is not ready again.
fn crash(container: &ContainerStatus) -> Option<String> {
    let states = [&container.state, &container.last_state];
    let ended = states
        .into_iter()
        .find_map(|state| state.as_ref()?.terminated.as_ref())?;
    if container.ready || ended.exit_code == 0 {
        return None;
    }
    if ended.reason.as_deref() == Some("OOMKilled") {
        return Some(out_of_memory(container));
    }
    let last_line = ended.message.as_deref().and_then(last_line);
    let code = format!("the container exited with code {}", ended.exit_code);
    Some(sentence(&code, last_line.as_deref()))
}

/// What the container logged last says nothing about a kill by the kernel.
fn out_of_memory(container: &ContainerStatus) -> String {
    let limits = container
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref());
    let limit = limits.and_then(|limits| limits.get("memory"));
    let limit = limit.map(|limit| format!(" of {}", limit.0)).unwrap_or_default();
    format!(
        "OOMKilled: the container needed more than its memory limit{limit}; raise dataPlane.resources.limits.memory"
    )
}

/// The cause of a failed pull. The kubelet's own words around it change with each try, and name the image again.
fn pull_error(message: &str) -> Option<String> {
    let cause = message
        .strip_prefix("Back-off pulling image ")
        .map_or(Some(message), |back_off| {
            Some(back_off.split_once(": ")?.1.trim_start_matches("ErrImagePull: "))
        })?;
    let cause = cause.rsplit("desc = ").next().unwrap_or(cause);
    Some(cause.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|cause| !cause.is_empty())
}

/// The last line of a log; of a line in JSON what it says, without its time, so that the same end has the same text.
fn last_line(log: &str) -> Option<String> {
    let line = log.trim().lines().last()?.trim();
    let fields: BTreeMap<String, serde_json::Value> = match serde_json::from_str(line) {
        Ok(fields) => fields,
        Err(_) => return Some(line.to_owned()).filter(|line| !line.is_empty()),
    };
    let field = |name: &str| Some(fields.get(name)?.as_str()?.to_owned());
    let said = ["message", "error", "cause"].into_iter().filter_map(field);
    Some(said.collect::<Vec<_>>().join(": ")).filter(|said| !said.is_empty())
}

fn sentence(reason: &str, message: Option<&str>) -> String {
    message.map_or_else(|| reason.to_owned(), |message| format!("{reason}: {message}"))
}
