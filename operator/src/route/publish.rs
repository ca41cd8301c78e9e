//! Last step of a reconcile: says in the route's status what was found and done, by server-side apply under a field
//! manager of its own, and tells of what changed by Events.
//!
//! Invariant: status is written only when it changes; the figures of `delivery` alone cause at most one write a minute.

pub mod conditions;
mod delivery;
mod notes;
mod pace;
mod programmed;
mod servers;

use super::apply::Problem;
use super::feedback::Observed;
use super::resolve::Found;
use super::subject::Subject;
use super::validate::Valid;
use crate::context::Context;
use crate::controller::route_resource;
use asyncmcp_crds::McpWebhookRouteStatus;
use asyncmcp_crds::v1alpha1::{Address, ReplicaStatus, Summary, WebhookToolStatus};
use conditions::{Facts, Verdict};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::runtime::controller::Action;
use programmed::Programmed;
use serde_json::json;
use tokio::time::Instant;

use super::build::{MCP_PORT, REPLICAS};

/// The field manager of status.
const MANAGER: &str = "asyncmcp-operator-status";

/// Failed to write status.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the status of the route")]
pub struct Error(#[source] kube::Error);

/// What a reconcile came to.
#[derive(Debug)]
pub enum Outcome {
    /// The route has mistakes; its last accepted form is still served.
    Rejected(Problem),
    /// The cluster was changed as far as it lets itself be changed.
    Programmed {
        /// The route.
        valid: Box<Valid>,
        /// Hash of its pod template.
        template: String,
        /// What was refused.
        problems: Vec<Problem>,
        /// When a pod is to be told again of its configuration.
        next: Option<Instant>,
    },
}

/// What status remembers beyond its text.
#[derive(Debug, Default)]
pub struct Published {
    servers: servers::Settling,
    delivery: delivery::Pacing,
    waiting: pace::Waiting,
}

/// The status a route should have, and what to do about it.
#[derive(Debug)]
struct Draft {
    status: McpWebhookRouteStatus,
    programmed: bool,
}

/// Writes status and events where they changed; answers when to look again.
pub async fn status(
    context: &Context,
    subject: &Subject,
    found: &Found,
    outcome: &Outcome,
    memory: &mut Published,
) -> Result<Action, Error> {
    let now = Instant::now();
    let draft = draft(subject, found, outcome, memory, Timestamp::now());
    let mut status = draft.status.clone();
    memory.delivery.hold_back(&mut status, &subject.base, now);
    if status != subject.base {
        write(context, subject, &status).await?;
        context
            .recorder
            .record(&subject.reference(), &notes::between(&subject.base, &status))
            .await;
    }
    let look = pace::Look {
        pods: pods(found, outcome, draft.programmed),
        draining: subject.deleted_at.is_some(),
        settling: memory
            .servers
            .is_settling(status.servers.as_deref().unwrap_or_default())
            || misses_key(&status),
        next: next_reload(outcome),
    };
    Ok(Action::requeue(memory.waiting.pace(
        &look,
        now,
        rand::random_range(0.8..1.2),
    )))
}

/// Pure but for `memory`: the whole status.
fn draft(
    subject: &Subject,
    found: &Found,
    outcome: &Outcome,
    memory: &mut Published,
    now: Timestamp,
) -> Draft {
    let mut status = subject.base.clone();
    status.observed_generation = Some(subject.generation);
    status.delivery = delivery::sum(&found.pods).or(status.delivery);
    let facts = match outcome {
        Outcome::Rejected(problem) => rejected(subject, problem, &found.pods, &mut status),
        Outcome::Programmed {
            valid,
            template,
            problems,
            ..
        } => {
            let pods = programmed::judge(&valid.document.hash, template, &found.pods);
            describe(&mut status, valid, found, &pods, memory, now);
            accepted(subject, valid, found, problems, pods)
        }
    };
    let base = subject.base.conditions.as_deref().unwrap_or_default();
    let programmed = facts.programmed.holds();
    status.conditions = Some(conditions::all(base, &facts, subject.generation, now));
    Draft { status, programmed }
}

fn rejected(
    subject: &Subject,
    problem: &Problem,
    pods: &[Observed],
    status: &mut McpWebhookRouteStatus,
) -> Facts {
    let ready = pods.iter().filter(|observed| observed.pod.ready).count();
    if let Some(replicas) = &mut status.replicas {
        replicas.ready = count(ready);
    }
    Facts {
        accepted: Verdict::no(problem.reason, problem.message.clone()),
        resolved: Verdict::unknown(
            "NotAccepted",
            "the references of a route with mistakes are not looked at",
        ),
        programmed: Verdict::no(
            "NotAccepted",
            "the route has mistakes; its last accepted form, if any, is served",
        ),
        ready_pods: ready,
        pod_trouble: None,
        deleting: subject.deleted_at.is_some(),
        remark: None,
    }
}

fn accepted(
    subject: &Subject,
    valid: &Valid,
    found: &Found,
    problems: &[Problem],
    pods: Programmed,
) -> Facts {
    let refused = problems
        .first()
        .map(|problem| Verdict::no(problem.reason, problem.message.clone()));
    let kept = || programmed::keep(&subject.base, &valid.document.hash);
    Facts {
        accepted: conditions::accepted(&valid.unknown),
        resolved: conditions::resolved(&found.missing, &missing_keys(found, &valid.document.hash)),
        programmed: refused.or(pods.verdict).unwrap_or_else(kept),
        ready_pods: pods.ready,
        pod_trouble: pods.trouble,
        deleting: subject.deleted_at.is_some(),
        remark: unsigned(valid),
    }
}

/// Everything in status that is not a condition.
fn describe(
    status: &mut McpWebhookRouteStatus,
    valid: &Valid,
    found: &Found,
    pods: &Programmed,
    memory: &mut Published,
    now: Timestamp,
) {
    let names = &valid.names;
    let (name, namespace, path) = (names.dataplane(), names.namespace(), &valid.route.transport.path);
    status.address = Some(Address {
        url: format!("http://{name}.{namespace}.svc:{}{path}", MCP_PORT.1),
    });
    status.config_hash = Some(valid.document.hash.clone());
    status.replicas = Some(ReplicaStatus {
        desired: REPLICAS,
        ready: count(pods.ready),
        programmed: count(pods.serving),
    });
    let servers: Vec<&str> = valid
        .route
        .servers
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    let before = status.servers.take().unwrap_or_default();
    let servers = memory.servers.settle(&servers, &before, &found.pods, now);
    status.summary = Some(Summary {
        servers: servers::summary(&servers),
        webhook_tools: servers.iter().filter_map(|server| server.webhook_tools).sum(),
    });
    status.servers = Some(servers);
    status.webhook_tools = Some(webhook_tools(
        valid,
        found,
        status.webhook_tools.take().unwrap_or_default(),
    ));
}

/// How many tools each entry matches, once some pod has seen every server's list; until then what was known before.
fn webhook_tools(valid: &Valid, found: &Found, before: Vec<WebhookToolStatus>) -> Vec<WebhookToolStatus> {
    let entries: Vec<&str> = valid
        .route
        .webhook_tools
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    let hash = &valid.document.hash;
    let reports = found.pods.iter().filter_map(|observed| observed.report.as_ref());
    let mut complete =
        reports.filter(|report| report.config_hash == *hash && servers::all_tried(&report.servers));
    let known = complete
        .next()
        .map_or(before, |report| report.webhook_tools.clone());
    known
        .into_iter()
        .filter(|tool| entries.contains(&tool.name.as_str()))
        .collect()
}

fn missing_keys(found: &Found, hash: &str) -> Vec<String> {
    let reports = found
        .pods
        .iter()
        .filter(|observed| observed.trusted)
        .filter_map(|pod| pod.report.as_ref());
    let current = reports.filter(|report| report.config_hash == hash);
    let keys: std::collections::BTreeSet<&String> = current.flat_map(|report| &report.missing_keys).collect();
    keys.into_iter().cloned().collect()
}

fn unsigned(valid: &Valid) -> Option<&'static str> {
    let delivers = !valid.route.webhook_tools.is_empty();
    (delivers && valid.route.webhook.signing.is_empty())
        .then_some("deliveries are not signed; set webhook.signing.secretRefs")
}

fn pods(found: &Found, outcome: &Outcome, programmed: bool) -> pace::Pods {
    let unhindered = matches!(outcome, Outcome::Programmed { problems, .. } if problems.is_empty());
    let running = |observed: &Observed| observed.pod.address.is_some() && !observed.pod.ending;
    match programmed {
        true => pace::Pods::Programmed,
        false if unhindered && found.pods.iter().any(running) => pace::Pods::Awaited,
        false => pace::Pods::Blocked,
    }
}

fn misses_key(status: &McpWebhookRouteStatus) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.reason == conditions::KEY_NOT_FOUND)
}

fn next_reload(outcome: &Outcome) -> Option<Instant> {
    match outcome {
        Outcome::Programmed { next, .. } => *next,
        Outcome::Rejected(_) => None,
    }
}

fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}

async fn write(context: &Context, subject: &Subject, status: &McpWebhookRouteStatus) -> Result<(), Error> {
    let names = &subject.names;
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), names.namespace(), &route_resource());
    let patch = json!({
        "apiVersion": asyncmcp_crds::API_VERSION,
        "kind": asyncmcp_crds::KIND,
        // The uid: a route that was made again under this name is another one.
        "metadata": {"name": names.route(), "uid": names.uid()},
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    match api
        .patch_status(names.route(), &params, &Patch::Apply(patch))
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(Error(error)),
    }
}

#[cfg(test)]
mod tests;
