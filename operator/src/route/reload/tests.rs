//! Which pods are notified when.

use super::*;
use asyncmcp_crds::{RefusedDocument, StatusReport};
use std::sync::Arc;

fn pod(serves: Option<&str>) -> Observed {
    let report = serves.map(|hash| StatusReport {
        config_hash: hash.to_owned(),
        ..StatusReport::default()
    });
    Observed {
        pod: View {
            name: "a-0".to_owned(),
            uid: "u".to_owned(),
            ..View::default()
        },
        report: report.map(Arc::new),
        trusted: true,
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_pod_that_serves_the_document_is_not_notified() {
    let mut reloads = Reloads::default();
    let plan = reloads.plan("new", 1, &[pod(Some("new"))], Instant::now());
    assert_eq!(
        plan,
        Plan {
            notify: Vec::new(),
            next: None
        }
    );
}

#[test]
fn a_pod_that_has_not_reported_yet_is_not_notified() {
    let plan = Reloads::default().plan("new", 1, &[pod(None)], Instant::now());
    assert_eq!(
        plan,
        Plan {
            notify: Vec::new(),
            next: None
        }
    );
}

#[test]
fn a_stale_pod_is_notified_at_once_and_then_with_growing_waits() {
    let (mut reloads, start) = (Reloads::default(), Instant::now());
    let mut notified = Vec::new();
    for second in 0..=200 {
        let plan = reloads.plan("new", 1, &[pod(Some("old"))], start + seconds(second));
        assert!(plan.next.is_some_and(|next| next > start + seconds(second)));
        if !plan.notify.is_empty() {
            notified.push(second);
        }
    }
    assert_eq!(notified, [0, 2, 6, 14, 30, 62, 122, 182]);
}

#[test]
fn a_newer_document_starts_over() {
    let (mut reloads, start) = (Reloads::default(), Instant::now());
    reloads.plan("one", 1, &[pod(Some("old"))], start);
    let plan = reloads.plan("two", 1, &[pod(Some("old"))], start + seconds(1));
    assert_eq!(plan.notify, [("a-0".to_owned(), "two.1".to_owned())]);
}

#[test]
fn a_pod_that_rejected_the_document_is_not_notified_again() {
    let refused = RefusedDocument {
        config_hash: "new".to_owned(),
        message: "no".to_owned(),
    };
    let report = StatusReport {
        config_hash: "old".to_owned(),
        refused: Some(refused),
        ..StatusReport::default()
    };
    let observed = Observed {
        report: Some(Arc::new(report)),
        ..pod(None)
    };
    let plan = Reloads::default().plan("new", 1, &[observed], Instant::now());
    assert_eq!(
        plan,
        Plan {
            notify: Vec::new(),
            next: None
        }
    );
}

#[test]
fn a_changed_secret_causes_three_notifications() {
    let (mut reloads, start) = (Reloads::default(), Instant::now());
    let mut notified = Vec::new();
    for second in 0..=30 {
        let secrets = if second < 5 { 1 } else { 2 };
        let plan = reloads.plan("new", secrets, &[pod(Some("new"))], start + seconds(second));
        if !plan.notify.is_empty() {
            notified.push(second);
        }
    }
    assert_eq!(notified, [5, 7, 15]);
}

#[test]
fn the_annotation_counts_on_from_the_pods_current_one() {
    let carries = |annotation: &str| View {
        annotation: Some(annotation.to_owned()),
        ..View::default()
    };
    assert_eq!(next_annotation(&carries("old.4"), "new"), "new.5");
    assert_eq!(next_annotation(&carries("garbage"), "new"), "new.1");
    assert_eq!(next_annotation(&View::default(), "new"), "new.1");
}

#[test]
fn a_terminating_pod_is_not_notified() {
    let mut terminating = pod(Some("old"));
    terminating.pod.terminating = true;
    let plan = Reloads::default().plan("new", 1, &[terminating], Instant::now());
    assert_eq!(
        plan,
        Plan {
            notify: Vec::new(),
            next: None
        }
    );
}
