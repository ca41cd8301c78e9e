//! When a deleted route stops waiting.

use super::*;
use crate::route::claim::Live;
use crate::route::feedback::View;
use asyncmcp_crds::StatusReport;
use std::sync::Arc;
use std::time::Duration;

const DRAIN: effective::Deletion = effective::Deletion {
    policy: DeletionPolicy::Drain,
    timeout: Duration::from_mins(10),
};
const ABANDON: effective::Deletion = effective::Deletion {
    policy: DeletionPolicy::Abandon,
    timeout: Duration::from_mins(10),
};

fn pod(draining: bool, pending: i64) -> Observed {
    let mut report = StatusReport {
        draining,
        ..StatusReport::default()
    };
    report.delivery.pending = pending;
    Observed {
        pod: View::default(),
        report: Some(Arc::new(report)),
        trusted: true,
    }
}

fn unreachable() -> Observed {
    Observed {
        pod: View::default(),
        report: None,
        trusted: true,
    }
}

fn situation<'a>(pods: &'a [Observed], deletion: &'a effective::Deletion) -> Situation<'a> {
    Situation {
        deletion,
        deleted_at: Timestamp::UNIX_EPOCH,
        orphaning: false,
        namespace_gone: false,
        was_served: true,
        store: Trust::Same,
        pods,
    }
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_route_waits_until_every_pod_is_draining_and_has_no_job() {
    for (pods, expect) in [
        (vec![pod(false, 0)], None),
        (vec![pod(true, 2)], None),
        (vec![pod(true, 0), pod(true, 1)], None),
        (vec![pod(true, 0), unreachable()], None),
        (vec![], None),
        (vec![pod(true, 0)], Some(End::Drained)),
    ] {
        assert_eq!(decide(&situation(&pods, &DRAIN), after(5)), expect, "{pods:?}");
    }
}

#[test]
fn a_route_does_not_wait_forever() {
    let pods = [pod(true, 2)];
    assert_eq!(decide(&situation(&pods, &DRAIN), after(599)), None);
    assert_eq!(decide(&situation(&pods, &DRAIN), after(600)), Some(End::TimedOut));
    assert_eq!(
        decide(&situation(&pods, &ABANDON), after(0)),
        Some(End::Abandoned)
    );
    let gone = Situation {
        namespace_gone: true,
        ..situation(&pods, &DRAIN)
    };
    assert_eq!(decide(&gone, after(0)), Some(End::NamespaceGone));
    let orphaning = Situation {
        orphaning: true,
        ..situation(&pods, &DRAIN)
    };
    assert_eq!(decide(&orphaning, after(0)), Some(End::Orphaned));
}

#[test]
fn a_route_that_was_never_served_does_not_wait() {
    let never = Situation {
        was_served: false,
        ..situation(&[], &DRAIN)
    };
    assert_eq!(decide(&never, after(0)), Some(End::NeverServed));
    let pods = [unreachable()];
    let starting = Situation {
        was_served: false,
        ..situation(&pods, &DRAIN)
    };
    assert_eq!(decide(&starting, after(0)), Some(End::NeverServed));
    let pods = [pod(false, 0)];
    let young = Situation {
        was_served: false,
        ..situation(&pods, &DRAIN)
    };
    assert_eq!(decide(&young, after(0)), None);
}

#[test]
fn a_drain_believes_no_pod_on_another_volume() {
    let drained = [pod(true, 0)];
    for (store, expect) in [
        (Trust::Same, End::Drained),
        (Trust::Younger, End::StoreLost),
        (Trust::Gone, End::StoreLost),
    ] {
        let situation = Situation {
            store,
            ..situation(&drained, &DRAIN)
        };
        assert_eq!(decide(&situation, after(5)), Some(expect), "{store:?}");
    }
    let lost = |pods| Situation {
        store: Trust::Gone,
        ..situation(pods, &DRAIN)
    };
    let stopped = [unreachable()];
    assert_eq!(decide(&lost(&stopped), after(5)), Some(End::StoreLost));
    let working = [pod(true, 2)];
    assert_eq!(decide(&lost(&working), after(5)), None, "it still has the volume");
}

#[test]
fn the_volume_is_known_by_its_uid_or_by_its_age() {
    let claim = |uid: &str, created| Claim {
        name: "c".to_owned(),
        live: Some(Live {
            uid: uid.to_owned(),
            created: Some(after(created)),
            ..Live::default()
        }),
        ..Claim::default()
    };
    let recorded = StoreStatus {
        claim: "c".to_owned(),
        uid: "one".to_owned(),
    };
    let trust = |claim: Option<&Claim>, recorded| Trust::of(claim, recorded, after(100));
    assert_eq!(trust(Some(&claim("one", 50)), Some(&recorded)), Trust::Same);
    assert_eq!(trust(Some(&claim("two", 50)), Some(&recorded)), Trust::Gone);
    assert_eq!(trust(Some(&claim("one", 50)), None), Trust::Same);
    assert_eq!(trust(Some(&claim("one", 100)), None), Trust::Younger);
    assert_eq!(trust(Some(&Claim::default()), None), Trust::Younger);
    assert_eq!(trust(None, None), Trust::Same);
    assert_eq!(trust(None, Some(&recorded)), Trust::Gone, "the spec was changed");
}

#[test]
fn jobs_are_counted_only_if_every_pod_reports_them() {
    assert_eq!(undelivered(&[pod(true, 2), pod(true, 3)]), Some(5));
    assert_eq!(undelivered(&[pod(true, 2), unreachable()]), None);
    assert_eq!(undelivered(&[]), None);
}

#[test]
fn an_invalid_deleted_route_drains_with_its_last_accepted_version() {
    use crate::route::fixture;
    let document = fixture::valid(&fixture::minimal()).document;
    let written = Written {
        current: Some(document.clone()),
        last: None,
    };
    let mut broken = fixture::object(&serde_json::json!({"servers": []}));
    assert!(
        last_accepted(&fixture::of(broken.clone()), Some(&written)).is_none(),
        "it is not deleted yet"
    );
    broken["metadata"]["deletionTimestamp"] = serde_json::json!("2026-11-22T00:00:00Z");
    let valid = last_accepted(&fixture::of(broken), Some(&written)).unwrap();
    assert!(valid.route.deleting && valid.document.json.contains("deletionTimestamp"));
    assert_ne!(valid.document.hash, document.hash);
}

#[test]
fn an_unreadable_route_drains_as_long_as_one_without_a_deletion_policy() {
    use crate::route::fixture;
    assert_eq!(
        fixture::valid(&fixture::minimal()).route.deletion.timeout,
        UNREADABLE_TIMEOUT
    );
}
