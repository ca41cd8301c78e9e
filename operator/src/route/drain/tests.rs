//! When a deleted route stops waiting, and whether its volume is kept.

use super::*;
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
fn a_volume_with_undelivered_jobs_is_kept() {
    for (end, undelivered, expect) in [
        (End::Drained, Some(0), false),
        (End::TimedOut, Some(3), true),
        (End::TimedOut, Some(0), false),
        (End::TimedOut, None, true),
        (End::Abandoned, Some(3), true),
        (End::Abandoned, None, false),
        (End::NeverServed, None, false),
        (End::NamespaceGone, Some(3), false),
    ] {
        assert_eq!(keeps_volume(end, undelivered), expect, "{end:?} {undelivered:?}");
    }
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
