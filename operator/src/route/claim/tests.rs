//! Which claim a route may go on with.

use super::*;

const UID: &str = "uid-1";

fn claim(change: impl FnOnce(&mut Claim)) -> Claim {
    let mut claim = Claim {
        name: "c".to_owned(),
        live: Some(Live {
            uid: UID.to_owned(),
            bound: true,
            keys_made: true,
            ..Live::default()
        }),
        keys: Keys::Present,
        user: None,
    };
    change(&mut claim);
    claim
}

fn live(change: impl FnOnce(&mut Live)) -> Claim {
    claim(|claim| change(claim.live.as_mut().unwrap()))
}

fn stored(claim: &str) -> StoreStatus {
    StoreStatus {
        claim: claim.to_owned(),
        uid: UID.to_owned(),
    }
}

/// The reason and whether it blocks.
fn verdict(
    claim: Option<&Claim>,
    store: Option<&StoreStatus>,
    accepted: Option<&str>,
) -> Option<(&'static str, bool)> {
    let record = Record {
        route: "analytics",
        store,
        accepted,
    };
    let trouble = standing(claim, &record)?;
    assert!(REASONS.contains(&trouble.problem.reason), "{trouble:?}");
    let message = trouble.problem.message.to_lowercase();
    for advice in [
        "delete persistentvolumeclaim",
        "delete the claim",
        "delete the volume",
        "delete pvc",
    ] {
        assert!(!message.contains(advice), "{message}");
    }
    Some((trouble.problem.reason, trouble.blocks))
}

#[test]
fn a_new_route_adopts_only_a_whole_claim() {
    for (claim, expect) in [
        (claim(|_| {}), None),
        (claim(|claim| claim.live = None), None),
        (live(|live| live.deleting = true), Some("ClaimDeleting")),
        (
            claim(|claim| claim.user = Some("other".to_owned())),
            Some("ClaimInUse"),
        ),
        (claim(|claim| claim.keys = Keys::Missing), Some("StoreKeysLost")),
        (
            claim(|claim| claim.keys = Keys::Deleting),
            Some("StoreKeysDeleting"),
        ),
    ] {
        let expect = expect.map(|reason| (reason, true));
        assert_eq!(verdict(Some(&claim), None, None), expect, "{claim:?}");
    }
    let mut fresh = live(|live| live.keys_made = false);
    fresh.keys = Keys::Missing;
    assert_eq!(
        verdict(Some(&fresh), None, None),
        None,
        "its keys are yet to be made"
    );
}

#[test]
fn a_route_that_uses_its_claim_goes_on_and_says_what_is_wrong() {
    let stored = stored("c");
    for (claim, expect) in [
        (claim(|_| {}), None),
        (live(|live| live.deleting = true), Some("StoreDeleting")),
        (claim(|claim| claim.user = Some("other".to_owned())), None),
        (claim(|claim| claim.keys = Keys::Missing), Some("StoreKeysLost")),
        (
            claim(|claim| claim.keys = Keys::Deleting),
            Some("StoreKeysDeleting"),
        ),
        (claim(|claim| claim.keys = Keys::Unknown), None),
    ] {
        let expect = expect.map(|reason| (reason, false));
        assert_eq!(verdict(Some(&claim), Some(&stored), None), expect, "{claim:?}");
    }
}

#[test]
fn no_volume_takes_the_place_of_a_lost_one_unless_its_owner_says_so() {
    let stored = stored("c");
    let gone = claim(|claim| claim.live = None);
    let other = live(|live| live.uid = "uid-2".to_owned());
    for lost in [&gone, &other] {
        assert_eq!(verdict(Some(lost), Some(&stored), None), Some((LOST, true)));
        assert_eq!(
            verdict(Some(lost), Some(&stored), Some("uid-0")),
            Some((LOST, true))
        );
        assert_eq!(verdict(Some(lost), Some(&stored), Some(UID)), None);
    }
    // The keys of the lost claim go with it, in their own time.
    let mut gone = gone;
    gone.keys = Keys::Deleting;
    assert_eq!(verdict(Some(&gone), Some(&stored), Some(UID)), None);
}

#[test]
fn a_route_stays_on_the_claim_that_holds_its_results() {
    let stored = stored("before");
    assert_eq!(
        verdict(Some(&claim(|_| {})), Some(&stored), None),
        Some(("StoreChanged", true))
    );
    assert_eq!(verdict(None, Some(&stored), None), Some(("StoreChanged", true)));
    assert_eq!(verdict(None, None, None), None, "a store without a volume");
}
