//! What status and Events say about a route's volume.

use super::*;
use crate::route::claim::{Claim, Keys, Live};
use asyncmcp_crds::StoreProblemReport;
use serde_json::json;

fn stored() -> Claim {
    let live = Live {
        uid: "uid-1".to_owned(),
        bound: true,
        keys_made: true,
        ..Live::default()
    };
    Claim {
        name: "c".to_owned(),
        live: Some(live),
        keys: Keys::Present,
        user: None,
    }
}

#[test]
fn the_claim_that_results_are_on_is_recorded_and_stays_recorded_when_it_is_lost() {
    let (_, status) = healthy();
    let subject = later(&status, |_| {});
    let mut found = Found {
        pods: vec![pod(&hash(&subject))],
        claim: Some(stored()),
        ..Found::default()
    };
    let served = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 200);
    assert_eq!(served.store.as_ref().unwrap().uid, "uid-1");

    found.claim.as_mut().unwrap().live = None;
    let subject = later(&served, |_| {});
    let lost = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 300);
    assert_eq!(lost.store, served.store);
    assert_eq!(ready(&lost).reason, "StoreLost");
    assert_eq!(events(&served, &lost), ["StoreLost"]);
}

#[test]
fn a_route_whose_store_takes_no_calls_is_not_ready_once_that_is_certain() {
    let (_, status) = healthy();
    let subject = later(&status, |_| {});
    let with = |reason: Option<StoreProblem>| {
        let mut pod = pod(&hash(&subject));
        pod.pod.address = Some("10.0.0.7".parse().unwrap());
        Arc::make_mut(pod.report.as_mut().unwrap()).store_problem = reason.map(|reason| StoreProblemReport {
            reason,
            message: "what to do".to_owned(),
        });
        Found {
            pods: vec![pod],
            ..Found::default()
        }
    };
    let (full, down) = (Some(StoreProblem::StoreFull), Some(StoreProblem::StoreDown));
    let outcome = programmed(&subject, Vec::new());
    let mut memory = Published::default();
    let mut shown = Vec::new();
    for reported in [
        None, full, None, full, full, down, full, full, full, None, None, None,
    ] {
        let draft = draft(&subject, &with(reported), &outcome, &mut memory, at(200));
        shown.push(ready(&draft.status).reason.clone());
        if ready(&draft.status).reason == "StoreFull" {
            assert_eq!(ready(&draft.status).message, "what to do");
            assert_eq!(events(&status, &draft.status), ["StoreFull"]);
        }
    }
    let mut expect = vec!["Ready"; 8];
    expect.extend(["StoreFull", "StoreFull", "StoreFull", "Ready"]);
    assert_eq!(shown, expect);
    let restarted = draft_of(&subject, &with(down), &outcome, 300);
    assert_eq!(
        ready(&restarted).reason,
        "StoreDown",
        "a restarted operator believes the first report"
    );
}

#[test]
fn a_volume_in_danger_is_not_ready_although_its_pod_serves() {
    let (_, status) = healthy();
    let subject = later(&status, |object| {
        object["status"]["store"] = json!({"claim": "c", "uid": "uid-1"});
    });
    let mut claim = stored();
    claim.live.as_mut().unwrap().deleting = true;
    let mut missing = pod(&hash(&subject));
    let report = Arc::make_mut(missing.report.as_mut().unwrap());
    report.store_keys = vec![asyncmcp_crds::StoreKeyReport {
        id: 7,
        values: 3,
        missing: true,
    }];
    for (claim, pod, reason) in [
        (claim, pod(&hash(&subject)), "StoreDeleting"),
        (stored(), missing, "StoreKeyMissing"),
    ] {
        let found = Found {
            pods: vec![pod],
            claim: Some(claim),
            ..Found::default()
        };
        let draft = draft_of(&subject, &found, &programmed(&subject, Vec::new()), 200);
        assert_eq!(reasons(&draft)[2], ("True", "Programmed"));
        assert_eq!(reasons(&draft)[3], ("False", reason));
        assert_eq!(events(&status, &draft), [reason]);
    }
}
