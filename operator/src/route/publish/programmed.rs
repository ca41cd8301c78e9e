//! Whether all pods of the current revision serve the current version of the route, according to their reports.
//!
//! Invariant: pure. A single failed poll of a pod changes nothing.

use super::conditions::Verdict;
use crate::route::apply::Problem;
use crate::route::build::REPLICAS;
use crate::route::feedback::Observed;
use asyncmcp_crds::McpWebhookRouteStatus;

/// The result over all pods.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Programmed {
    /// The condition; `None` if no pod has reported yet, so the previous one stays.
    pub(super) verdict: Option<Verdict>,
    /// Pods of any revision that are ready.
    pub(super) ready: usize,
    /// Pods of the current revision that serve the current version.
    pub(super) serving: usize,
    /// Every pod, of whatever revision, serves the current version.
    pub(super) configured: bool,
    /// Why a pod does not run.
    pub(super) trouble: Option<String>,
}

/// `stuck` is why the cluster makes no pod, or no volume for it.
pub(super) fn evaluate(hash: &str, template: &str, pods: &[Observed], stuck: Option<&Problem>) -> Programmed {
    let current: Vec<&Observed> = pods
        .iter()
        .filter(|observed| !observed.pod.terminating && observed.pod.template == template)
        .collect();
    let trouble = current.iter().find_map(|observed| {
        let trouble = observed.pod.trouble.as_ref()?;
        Some(format!("pod {}: {trouble}", observed.pod.name))
    });
    let trouble = stuck.map(|stuck| stuck.message.clone()).or(trouble);
    let mut staying = pods
        .iter()
        .filter(|observed| !observed.pod.terminating)
        .peekable();
    Programmed {
        verdict: verdict(
            hash,
            &current,
            stuck.map_or("PodNotRunning", |stuck| stuck.reason),
            trouble.as_deref(),
        ),
        configured: staying.peek().is_some() && staying.all(|observed| serves(observed, hash)),
        ready: pods.iter().filter(|observed| observed.pod.ready).count(),
        serving: current.iter().filter(|observed| serves(observed, hash)).count(),
        trouble,
    }
}

fn verdict(hash: &str, current: &[&Observed], reason: &str, trouble: Option<&str>) -> Option<Verdict> {
    let desired = usize::try_from(REPLICAS).unwrap_or_default();
    if let Some(refusal) = current.iter().find_map(|observed| refusal(observed, hash)) {
        return Some(Verdict::no("DocumentRefused", refusal));
    }
    if current.len() >= desired && current.iter().all(|observed| serves(observed, hash)) {
        return Some(Verdict::yes(
            "Programmed",
            "every pod serves the current version of the route",
        ));
    }
    if let Some(trouble) = trouble {
        return Some(Verdict::no(reason, trouble));
    }
    if let Some(unreachable) = current.iter().find(|observed| !observed.trusted) {
        let message = format!("pod {} does not answer on its admin port", unreachable.pod.name);
        return Some(Verdict::no("PodUnreachable", message));
    }
    let unreported = |observed: &&&Observed| observed.pod.ready && observed.report.is_none();
    if current.iter().any(|observed| unreported(&observed)) {
        return None;
    }
    let message = format!(
        "{} of {desired} pods serve the current version of the route",
        count(current, hash)
    );
    Some(Verdict::no("Pending", message))
}

/// The previous message, where the new one only lacks its end: a kubelet names the cause of a failed pull only in the
/// moment of a try, and not while it waits for the next.
pub(super) fn with_cause(base: &McpWebhookRouteStatus, verdict: Verdict) -> Verdict {
    let mut conditions = base.conditions.iter().flatten();
    let before =
        conditions.find(|condition| condition.type_ == "Programmed" && condition.reason == verdict.reason);
    let cause = before.and_then(|before| before.message.strip_prefix(&verdict.message));
    match (before, cause) {
        (Some(before), Some(cause)) if cause.starts_with(": ") => Verdict {
            message: before.message.clone(),
            ..verdict
        },
        _ => verdict,
    }
}

/// The previous condition, if it was about this version of the route.
pub(super) fn keep(base: &McpWebhookRouteStatus, hash: &str) -> Verdict {
    let mut conditions = base.conditions.iter().flatten();
    let before = conditions.find(|condition| condition.type_ == "Programmed" && condition.status == "True");
    match before.filter(|_| base.config_hash.as_deref() == Some(hash)) {
        Some(before) => Verdict::yes(&before.reason, before.message.clone()),
        None => Verdict::no("Pending", "no pod has reported yet"),
    }
}

fn count(pods: &[&Observed], hash: &str) -> usize {
    pods.iter().filter(|observed| serves(observed, hash)).count()
}

fn serves(observed: &Observed, hash: &str) -> bool {
    observed.trusted
        && observed
            .report
            .as_ref()
            .is_some_and(|report| report.config_hash == hash)
}

fn refusal(observed: &Observed, hash: &str) -> Option<String> {
    let refused = observed
        .report
        .as_ref()?
        .refused
        .as_ref()
        .filter(|refused| refused.config_hash == hash)?;
    Some(format!(
        "pod {} rejected the route and still serves the previous version: {}",
        observed.pod.name, refused.message
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::feedback::View;
    use asyncmcp_crds::{Condition, RefusedDocument, StatusReport, Time};
    use k8s_openapi::jiff::Timestamp;
    use std::sync::Arc;

    fn pod(serves: Option<&str>) -> Observed {
        let report = serves.map(|hash| StatusReport {
            config_hash: hash.to_owned(),
            ..StatusReport::default()
        });
        let pod = View {
            name: "a-0".to_owned(),
            template: "t".to_owned(),
            ready: true,
            ..View::default()
        };
        Observed {
            pod,
            report: report.map(Arc::new),
            trusted: true,
        }
    }

    fn with(mut observed: Observed, change: impl FnOnce(&mut Observed)) -> Observed {
        change(&mut observed);
        observed
    }

    fn refusing() -> Observed {
        let refused = RefusedDocument {
            config_hash: "new".to_owned(),
            message: "no".to_owned(),
        };
        let report = StatusReport {
            config_hash: "old".to_owned(),
            refused: Some(refused),
            ..StatusReport::default()
        };
        Observed {
            report: Some(Arc::new(report)),
            ..pod(None)
        }
    }

    #[track_caller]
    fn check(pods: &[Observed], expect: Option<(&str, &str)>) {
        let verdict = evaluate("new", "t", pods, None).verdict;
        let got = verdict
            .as_ref()
            .map(|verdict| (verdict.status, verdict.reason.as_str()));
        assert_eq!(got, expect, "{pods:?}");
    }

    #[test]
    fn a_route_is_programmed_once_every_current_pod_reports_it() {
        check(&[], Some(("False", "Pending")));
        check(&[pod(Some("new"))], Some(("True", "Programmed")));
        check(&[pod(Some("old"))], Some(("False", "Pending")));
        check(&[pod(Some("new")), pod(Some("old"))], Some(("False", "Pending")));
        check(
            &[with(pod(Some("new")), |it| it.pod.template = "older".to_owned())],
            Some(("False", "Pending")),
        );
        check(
            &[with(pod(Some("new")), |it| it.pod.terminating = true)],
            Some(("False", "Pending")),
        );
        check(&[refusing()], Some(("False", "DocumentRefused")));
    }

    #[test]
    fn why_a_pod_does_not_run_is_in_the_message() {
        let broken = with(pod(None), |it| {
            it.pod.trouble = Some("ImagePullBackOff".to_owned());
        });
        let evaluated = evaluate("new", "t", &[broken], None);
        assert_eq!(evaluated.verdict.unwrap().message, "pod a-0: ImagePullBackOff");
    }

    #[test]
    fn why_the_cluster_makes_no_pod_is_the_reason_until_one_serves() {
        let stuck = Problem {
            reason: "PodNotCreated",
            message: "no quota".to_owned(),
        };
        let verdict = evaluate("new", "t", &[], Some(&stuck)).verdict.unwrap();
        assert_eq!(
            (verdict.reason.as_str(), verdict.message.as_str()),
            ("PodNotCreated", "no quota")
        );
        let served = evaluate("new", "t", &[pod(Some("new"))], Some(&stuck)).verdict;
        assert!(served.unwrap().holds());
    }

    #[test]
    fn a_missing_report_changes_nothing_until_several_polls_failed() {
        check(&[pod(None)], None);
        check(
            &[with(pod(Some("new")), |it| it.trusted = false)],
            Some(("False", "PodUnreachable")),
        );
    }

    #[test]
    fn a_cause_is_kept_while_the_kubelet_waits_to_try_again() {
        let condition = |message: &str| Condition {
            type_: "Programmed".to_owned(),
            status: "False".to_owned(),
            reason: "PodNotRunning".to_owned(),
            message: message.to_owned(),
            observed_generation: Some(1),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        };
        let base = McpWebhookRouteStatus {
            conditions: Some(vec![condition("image a cannot be pulled: not found")]),
            ..McpWebhookRouteStatus::default()
        };
        for (reason, message, expect) in [
            (
                "PodNotRunning",
                "image a cannot be pulled",
                "image a cannot be pulled: not found",
            ),
            (
                "PodNotRunning",
                "image a cannot be pulled: no access",
                "image a cannot be pulled: no access",
            ),
            ("PodNotRunning", "image", "image"),
            ("Pending", "image a cannot be pulled", "image a cannot be pulled"),
        ] {
            assert_eq!(with_cause(&base, Verdict::no(reason, message)).message, expect);
        }
    }

    #[test]
    fn before_the_first_report_the_old_condition_stays_if_it_is_about_the_same_version() {
        let condition = Condition {
            type_: "Programmed".to_owned(),
            status: "True".to_owned(),
            reason: "Programmed".to_owned(),
            message: "as before".to_owned(),
            observed_generation: Some(1),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        };
        let base = McpWebhookRouteStatus {
            conditions: Some(vec![condition]),
            config_hash: Some("new".to_owned()),
            ..McpWebhookRouteStatus::default()
        };
        assert!(keep(&base, "new").holds());
        assert!(!keep(&base, "newer").holds());
        assert!(!keep(&McpWebhookRouteStatus::default(), "new").holds());
    }
}
