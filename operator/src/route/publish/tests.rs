//! Complete statuses, from what was read to what is written.

use super::*;
use crate::kinds::{Key, Kind};
use crate::route::feedback::View;
use crate::route::{fixture, validate};
use asyncmcp_crds::v1alpha1::{ReplicaStatus, ServerState, Summary, WebhookToolStatus};
use asyncmcp_crds::{Condition, ServerReport, StatusReport};
use serde_json::Value;
use std::sync::Arc;

mod refused;
mod secrets;
mod store;

const TEMPLATE: &str = "t";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn pod(hash: &str) -> Observed {
    let server = ServerReport {
        name: "a".to_owned(),
        state: ServerState::Ready,
        tools: 3,
        webhook_tools: 1,
        ..Default::default()
    };
    let tool = WebhookToolStatus {
        name: "process_batch".to_owned(),
        matched: 1,
    };
    let report = StatusReport {
        config_hash: hash.to_owned(),
        servers: vec![server],
        webhook_tools: vec![tool],
        ..StatusReport::default()
    };
    let pod = View {
        template: TEMPLATE.to_owned(),
        ready: true,
        ..View::default()
    };
    Observed {
        pod,
        report: Some(Arc::new(report)),
        trusted: true,
    }
}

fn programmed(subject: &Subject, problems: Vec<Problem>) -> Outcome {
    let valid = Box::new(validate::route(subject).unwrap());
    Outcome::Programmed {
        valid,
        template: TEMPLATE.to_owned(),
        problems,
        published: true,
        stuck: Stuck::default(),
        next: None,
    }
}

fn hash(subject: &Subject) -> String {
    validate::route(subject).unwrap().document.hash
}

fn draft_of(subject: &Subject, found: &Found, outcome: &Outcome, second: i64) -> McpWebhookRouteStatus {
    draft(subject, found, outcome, &mut Published::default(), at(second)).status
}

/// The events of a change, by their reasons.
fn events(before: &McpWebhookRouteStatus, after: &McpWebhookRouteStatus) -> Vec<&'static str> {
    let notes = notes::between(before, after);
    notes.into_iter().map(|note| note.reason).collect()
}

/// The status of a route that is served as it should be.
fn healthy() -> (Subject, McpWebhookRouteStatus) {
    let subject = fixture::subject(&fixture::minimal());
    let found = Found {
        pods: vec![pod(&hash(&subject))],
        ..Found::default()
    };
    let status = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 100);
    (subject, status)
}

/// The same route later, with this change to the object.
fn later(status: &McpWebhookRouteStatus, change: impl FnOnce(&mut Value)) -> Subject {
    let mut object = fixture::object(&fixture::minimal());
    object["status"] = serde_json::to_value(status).unwrap();
    change(&mut object);
    fixture::of(object)
}

fn reasons(status: &McpWebhookRouteStatus) -> Vec<(&str, &str)> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    conditions
        .iter()
        .map(|condition| (condition.status.as_str(), condition.reason.as_str()))
        .collect()
}

fn ready(status: &McpWebhookRouteStatus) -> &Condition {
    &status.conditions.as_ref().unwrap()[3]
}

#[test]
fn a_served_route_has_a_complete_status() {
    let (_, status) = healthy();
    let expect = [
        ("True", "Accepted"),
        ("True", "ResolvedRefs"),
        ("True", "Programmed"),
        ("True", "Ready"),
    ];
    assert_eq!(reasons(&status), expect);
    assert!(
        status
            .conditions
            .as_ref()
            .unwrap()
            .iter()
            .all(|condition| condition.observed_generation == Some(3))
    );
    assert_eq!(
        status.address.unwrap().url,
        "http://analytics-dataplane.tools.svc:8080/mcp"
    );
    assert_eq!(
        status.summary.unwrap(),
        Summary {
            servers: "1/1".to_owned(),
            webhook_tools: 1
        }
    );
    assert_eq!(
        status.replicas.unwrap(),
        ReplicaStatus {
            desired: 1,
            ready: 1,
            programmed: 1
        }
    );
    assert_eq!(status.webhook_tools.unwrap()[0].matched, 1);
}

#[test]
fn an_idle_route_gets_the_same_status_every_time() {
    let (_, status) = healthy();
    let subject = later(&status, |_| {});
    let found = Found {
        pods: vec![pod(&hash(&subject))],
        ..Found::default()
    };
    let again = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 999);
    assert_eq!(again, subject.base);
    assert_eq!(again, status);
}

#[test]
fn a_restarted_operator_without_reports_changes_nothing_that_was_right() {
    let (_, status) = healthy();
    let subject = later(&status, |_| {});
    let unreachable = Observed {
        report: None,
        ..pod("")
    };
    let found = Found {
        pods: vec![unreachable],
        ..Found::default()
    };
    assert_eq!(
        reasons(&draft_of(
            &subject,
            &found,
            &programmed(&subject, Vec::new()),
            999
        )),
        reasons(&status)
    );
}

#[test]
fn a_write_that_the_cache_does_not_have_yet_is_remembered() {
    let (mut subject, status) = healthy();
    let version = subject.object.metadata.resource_version.clone();
    let written = |base_version| Published {
        written: Some(Written {
            base_version,
            status: status.clone(),
        }),
        ..Published::default()
    };
    written(Some("another".to_owned())).recall(&mut subject);
    assert_eq!(subject.base, McpWebhookRouteStatus::default());
    written(version).recall(&mut subject);
    assert_eq!(subject.base, status);
}

#[test]
fn an_invalid_edit_keeps_the_last_accepted_version_and_its_numbers() {
    let (_, status) = healthy();
    let subject = later(&status, |object| object["metadata"]["generation"] = json!(4));
    let outcome = Outcome::Rejected(Problem {
        reason: "Invalid",
        message: "spec.x: wrong".to_owned(),
    });
    let found = Found {
        pods: vec![pod("whatever")],
        ..Found::default()
    };
    let rejected = draft_of(&subject, &found, &outcome, 200);
    let expect = [
        ("False", "Invalid"),
        ("Unknown", "NotAccepted"),
        ("False", "NotAccepted"),
        ("False", "Invalid"),
    ];
    assert_eq!(reasons(&rejected), expect);
    assert_eq!(ready(&rejected).message, "spec.x: wrong");
    assert_eq!(
        (rejected.observed_generation, &rejected.address),
        (Some(4), &status.address)
    );
    assert_eq!(rejected.config_hash, status.config_hash);
}

#[test]
fn a_transition_time_changes_only_with_its_status() {
    let (_, status) = healthy();
    let subject = later(&status, |object| {
        object["spec"]["webhookTools"] = json!([{"name": "b"}]);
    });
    let found = Found {
        pods: vec![pod("old")],
        ..Found::default()
    };
    let changed = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 200);
    let times: Vec<i64> = changed
        .conditions
        .as_ref()
        .unwrap()
        .iter()
        .map(|it| it.last_transition_time.0.as_second())
        .collect();
    assert_eq!(times, [100, 100, 200, 200]);
}

#[test]
fn what_is_missing_first_is_the_reason_of_ready() {
    let subject = fixture::subject(&fixture::minimal());
    let hash = hash(&subject);
    let not_ready = |mut observed: Observed| {
        observed.pod.ready = false;
        observed
    };
    let foreign = Problem {
        reason: "ForeignChild",
        message: "Service x".to_owned(),
    };
    for (pods, problems, expect) in [
        (vec![pod(&hash)], vec![], ("True", "Ready")),
        (vec![pod("old")], vec![], ("False", "Pending")),
        (vec![not_ready(pod(&hash))], vec![], ("False", "NoReadyPod")),
        (vec![pod(&hash)], vec![foreign], ("False", "ForeignChild")),
        (vec![], vec![], ("False", "Pending")),
    ] {
        let found = Found {
            pods,
            ..Found::default()
        };
        let status = draft_of(&subject, &found, &programmed(&subject, problems), 1);
        assert_eq!(reasons(&status)[3], expect, "{found:?}");
    }
}

#[test]
fn a_missing_reference_is_reported_and_does_not_keep_a_route_from_being_ready() {
    let subject = fixture::subject(&fixture::minimal());
    let missing = vec![Key::new(Kind::Secret, "sign")];
    let found = Found {
        pods: vec![pod(&hash(&subject))],
        missing,
        ..Found::default()
    };
    let status = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 1);
    assert_eq!(reasons(&status)[1], ("False", "RefNotFound"));
    assert!(
        status.conditions.as_ref().unwrap()[1]
            .message
            .contains("Secret sign")
    );
    assert_eq!(reasons(&status)[3], ("True", "Ready"));
}

#[test]
fn a_deleted_route_is_not_ready_and_its_condition_states_why() {
    let (_, status) = healthy();
    let subject = later(&status, |object| {
        object["metadata"]["deletionTimestamp"] = json!("2026-11-22T00:00:00Z");
    });
    let found = Found {
        pods: vec![pod(&hash(&subject))],
        ..Found::default()
    };
    let draining = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 200);
    assert_eq!(ready(&draining).reason, "Draining");
    assert_eq!(events(&status, &draining), ["Draining"]);
}

#[test]
fn the_condition_of_a_ready_route_states_that_it_is_unsigned() {
    assert!(ready(&healthy().1).message.contains("webhook.signing"));
    let signed = json!({"signing": {"secretRefs": [{"name": "sign", "key": "a"}]}});
    let mut spec = fixture::minimal();
    spec["webhook"] = signed;
    let subject = fixture::subject(&spec);
    let found = Found {
        pods: vec![pod(&hash(&subject))],
        ..Found::default()
    };
    let status = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 1);
    assert_eq!(ready(&status).message, "the route is served");
}

#[test]
fn each_change_gives_one_event() {
    let (subject, status) = healthy();
    assert_eq!(events(&McpWebhookRouteStatus::default(), &status), ["Programmed"]);
    assert_eq!(events(&status, &status), [""; 0]);
    let mut unmatched = status.clone();
    unmatched.webhook_tools.as_mut().unwrap()[0].matched = 0;
    assert_eq!(events(&status, &unmatched), ["WebhookToolUnmatched"]);
    assert_eq!(events(&unmatched, &unmatched), [""; 0]);
    let found = Found {
        pods: vec![pod("old")],
        ..Found::default()
    };
    let foreign = Problem {
        reason: "ForeignChild",
        message: "Service x".to_owned(),
    };
    let blocked = draft_of(&subject, &found, &programmed(&subject, vec![foreign]), 2);
    assert_eq!(events(&status, &blocked), ["ForeignChild"]);
    let pending = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 2);
    assert_eq!(events(&status, &pending), [""; 0]);
}
