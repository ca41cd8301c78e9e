//! The status that a route should have, from what was found and done. Called by `publish`.
//!
//! Invariant: does no I/O and reads no clock; what it cannot know it copies from the current status.

use super::Published;
use super::conditions::{self, Facts, Verdict};
use super::programmed::{self, Programmed};
use super::{Outcome, delivery, issuers, secrets, servers, store};
use crate::route::apply::{Problem, REFUSED};
use crate::route::build::{MCP_PORT, REPLICAS};
use crate::route::feedback::Observed;
use crate::route::resolve::Found;
use crate::route::subject::Subject;
use crate::route::validate::Valid;
use asyncmcp_crds::McpWebhookRouteStatus;
use asyncmcp_crds::v1alpha1::{Address, ReplicaStatus, Summary, WebhookToolStatus};
use k8s_openapi::jiff::Timestamp;

/// The status a route should have.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) status: McpWebhookRouteStatus,
    /// Every pod serves the current version, or would if a child were not refused.
    pub(super) programmed: bool,
}

/// Computes the complete status. Pure except for `memory`.
pub(super) fn draft(
    subject: &Subject,
    found: &Found,
    outcome: &Outcome,
    memory: &mut Published,
    now: Timestamp,
) -> Draft {
    let mut status = subject.base.clone();
    status.observed_generation = Some(subject.generation);
    status.delivery = delivery::sum(&found.pods).or(status.delivery);
    status.disabled_receivers = delivery::disabled(&found.pods, status.disabled_receivers);
    status.store = store::recorded(subject, found);
    let mut configured = false;
    let facts = match outcome {
        Outcome::Rejected(problem) => rejected(subject, problem, &found.pods, &mut status),
        Outcome::Programmed {
            valid,
            template,
            problems,
            stuck,
            ..
        } => {
            let pods = programmed::evaluate(
                &valid.document.hash,
                template,
                &found.pods,
                stuck.problem.as_ref(),
            );
            configured = pods.configured && !problems.is_empty();
            describe(&mut status, valid, found, &pods, memory, now);
            let facts = accepted(subject, (valid, template), found, problems, pods);
            let hindrance = memory.store.settle(&found.pods).or(facts.hindrance);
            let hindrance =
                hindrance.or_else(|| servers::unreachable(&valid.route, status.servers.as_deref()));
            Facts { hindrance, ..facts }
        }
    };
    let base = subject.base.conditions.as_deref().unwrap_or_default();
    let programmed = facts.programmed.holds() || configured;
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
            "references are not checked while the route is invalid",
        ),
        programmed: Verdict::no(
            "NotAccepted",
            "the route is invalid; its last accepted version, if any, is still served",
        ),
        ready_pods: ready,
        pod_trouble: None,
        store: None,
        hindrance: None,
        deleting: subject.deleted_at.is_some(),
        hint: None,
    }
}

fn accepted(
    subject: &Subject,
    (valid, template): (&Valid, &str),
    found: &Found,
    problems: &[Problem],
    pods: Programmed,
) -> Facts {
    let unusable = secrets::unusable(valid, template, found);
    let kept = || programmed::keep(&subject.base, &valid.document.hash);
    let pods_verdict = pods
        .verdict
        .map(|verdict| programmed::with_cause(&subject.base, verdict));
    Facts {
        accepted: conditions::accepted(&valid.unknown),
        resolved: secrets::resolved(&found.missing, &unusable),
        programmed: refused(problems, pods.configured)
            .or(pods_verdict)
            .unwrap_or_else(kept),
        ready_pods: pods.ready,
        pod_trouble: pods.trouble,
        store: store::problem(subject, found),
        hindrance: secrets::no_certificate(valid, &unusable)
            .or_else(|| secrets::keeping_out(valid, &unusable))
            .or_else(|| issuers::without_keys(template, found))
            .or_else(|| secrets::holding_back(valid, &unusable))
            .or_else(|| unreported(subject, found)),
        deleting: subject.deleted_at.is_some(),
        hint: unsigned(valid),
    }
}

/// The problem that status names already, as long as no pod has reported: a restarted operator knows nothing newer.
fn unreported(subject: &Subject, found: &Found) -> Option<Problem> {
    if found.pods.iter().any(|pod| pod.report.is_some()) {
        return None;
    }
    let mut conditions = subject.base.conditions.iter().flatten();
    let ready = conditions.find(|condition| condition.type_ == "Ready")?;
    let reason = conditions::HINDRANCES
        .into_iter()
        .find(|reason| *reason == ready.reason)?;
    let message = ready.message.clone();
    Some(Problem { reason, message })
}

/// What the API server rejected. The other children were applied, so the pods may well serve the route.
fn refused(problems: &[Problem], configured: bool) -> Option<Verdict> {
    let first = problems.first()?;
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let messages = messages.join("; ");
    let serves = configured && first.reason == REFUSED;
    let message = if serves {
        format!("the pods serve the current configuration of the route, but {messages}")
    } else {
        messages
    };
    Some(Verdict::no(first.reason, message))
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
    let scheme = match valid.route.transport.certificate {
        Some(_) => "https",
        None => "http",
    };
    status.address = Some(Address {
        url: format!("{scheme}://{name}.{namespace}.svc:{}{path}", MCP_PORT.1),
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

/// How many tools each entry matches, once a pod has listed every server's tools; until then the previous numbers.
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

fn unsigned(valid: &Valid) -> Option<&'static str> {
    let delivers = !valid.route.webhook_tools.is_empty();
    (delivers && valid.route.webhook.signing.is_empty())
        .then_some("deliveries are not signed; set webhook.signing.secretRefs")
}

fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}
