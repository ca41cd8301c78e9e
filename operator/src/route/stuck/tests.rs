//! Events as Kubernetes' controllers write them.

use super::*;
use crate::route::claim::{Claim, Live};
use crate::route::feedback::{Observed, View};
use serde_json::json;

fn names() -> Names {
    Names::new("tools", "r", "u")
}

fn event((kind, name): (&str, &str), reason: &str, second: i64, note: &str) -> Event {
    let time = Timestamp::from_second(second).unwrap().to_string();
    serde_json::from_value(json!({
        "metadata": {"name": "e"}, "eventTime": null, "reason": reason, "note": note,
        "regarding": {"kind": kind, "name": name}, "deprecatedLastTimestamp": time,
    }))
    .unwrap()
}

fn message(events: Vec<Event>) -> Option<String> {
    explain(&Wanted::Pod, &names(), events).map(|problem| problem.message)
}

const SET: (&str, &str) = ("StatefulSet", "r-dataplane");

#[test]
fn the_refusal_of_a_pod_is_told_with_the_way_out_and_without_the_pods_name() {
    for (by, note, expect) in [
        (
            SET,
            "create Pod r-dataplane-0 in StatefulSet r-dataplane failed error: pods \"r-dataplane-0\" is forbidden: exceeded \
             quota: q, requested: pods=1, used: pods=0, limited: pods=0",
            "the cluster refuses to create a pod: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0. Raise \
             the ResourceQuota, or free some of it",
        ),
        (
            ("ReplicaSet", "r-dataplane-5d8f"),
            "Error creating: pods \"r-dataplane-5d8f-x7k2p\" is forbidden: failed quota: q: must specify limits.memory for: \
             dataplane",
            "the cluster refuses to create a pod: failed quota: q: must specify limits.memory for: dataplane. Set \
             dataPlane.resources as that asks",
        ),
        (
            SET,
            "create Pod r-dataplane-0 in StatefulSet r-dataplane failed error: pods \"r-dataplane-0\" is forbidden: minimum \
             memory usage per Container is 2Gi. No request is specified",
            "the cluster refuses to create a pod: minimum memory usage per Container is 2Gi. No request is specified. Set \
             dataPlane.resources as that asks",
        ),
        (
            SET,
            "create Pod r-dataplane-0 in StatefulSet r-dataplane failed error: Internal error occurred: webhook x",
            "the cluster refuses to create a pod: Internal error occurred: webhook x",
        ),
    ] {
        assert_eq!(
            message(vec![event(by, "FailedCreate", 1, note)]).as_deref(),
            Some(expect)
        );
    }
}

#[test]
fn only_the_newest_event_of_the_routes_own_controller_counts() {
    let failed = |by, second| event(by, "FailedCreate", second, "no");
    assert!(message(vec![event(SET, "SuccessfulCreate", 1, ""), failed(SET, 2)]).is_some());
    assert_eq!(
        message(vec![failed(SET, 1), event(SET, "SuccessfulCreate", 2, "")]),
        None
    );
    for other in [
        ("StatefulSet", "r-dataplane-x"),
        ("ReplicaSet", "r-dataplane"),
        ("ReplicaSet", "r-dataplane-other-5d8f"),
        ("ReplicaSet", "s-dataplane-5d8f"),
    ] {
        assert_eq!(message(vec![failed(other, 1)]), None, "{other:?}");
    }
}

fn found(pods: Vec<View>, bound: bool) -> Found {
    let pods = pods.into_iter().map(|pod| Observed {
        pod,
        report: None,
        trusted: true,
    });
    let live = Live {
        bound,
        ..Live::default()
    };
    let claim = Claim {
        name: "c".to_owned(),
        live: Some(live),
        ..Claim::default()
    };
    Found {
        pods: pods.collect(),
        claim: Some(claim),
        ..Found::default()
    }
}

#[test]
fn a_claim_without_a_volume_is_asked_about_only_while_its_pod_waits_for_a_node() {
    let pod = |template: &str, unscheduled| View {
        name: "p".to_owned(),
        template: template.to_owned(),
        unscheduled,
        ..View::default()
    };
    let volume = Wanted::Volume {
        claim: "c".to_owned(),
        pod: "p".to_owned(),
    };
    for (pods, bound, expect) in [
        (vec![], true, Some(Wanted::Pod)),
        (vec![pod("old", false)], true, Some(Wanted::Pod)),
        (vec![pod("t", false)], false, None),
        (vec![pod("t", true)], true, None),
        (vec![pod("t", true)], false, Some(volume.clone())),
    ] {
        assert_eq!(wanted("t", &found(pods, bound)), expect);
    }
    let note = "storageclass.storage.k8s.io \"nope\" not found";
    let failed = event(("PersistentVolumeClaim", "c"), "ProvisioningFailed", 2, note);
    let told = explain(&volume, &names(), vec![failed]).unwrap().message;
    assert_eq!(
        told,
        format!("pod p waits for PersistentVolumeClaim c, which gets no volume: {note}")
    );
    let waits = event(("PersistentVolumeClaim", "c"), "WaitForFirstConsumer", 3, "");
    assert_eq!(explain(&volume, &names(), vec![waits]), None);
}
