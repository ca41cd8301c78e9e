//! Rollouts of many routes whose pods are plain values.

use super::*;
use crate::route::feedback::View;

fn names(route: &str) -> Names {
    Names::new("tools", route, "u")
}

fn pod(template: &str, ready: bool) -> Observed {
    Observed {
        pod: View {
            template: template.to_owned(),
            ready,
            ..View::default()
        },
        report: None,
        trusted: true,
    }
}

/// Whether the route may go on; its pods are `(template, ready)`.
fn may(rollouts: &Rollouts, route: &str, pods: &[(&str, bool)]) -> bool {
    let pods: Vec<Observed> = pods
        .iter()
        .map(|(template, ready)| pod(template, *ready))
        .collect();
    rollouts.turn(&names(route), "new", &pods, false) == Turn::Now
}

const SERVING: [(&str, bool); 1] = [("old", true)];

#[test]
fn one_route_is_tried_first_and_the_others_follow_a_few_at_a_time() {
    let rollouts = Rollouts::new(2);
    assert!(may(&rollouts, "a", &SERVING));
    assert!(
        !may(&rollouts, "b", &SERVING),
        "the first has not shown that it works"
    );
    assert!(may(&rollouts, "a", &[("new", false)]), "the first goes on");
    assert!(!may(&rollouts, "b", &SERVING));
    assert!(may(&rollouts, "a", &[("new", true)]));
    assert!(may(&rollouts, "b", &SERVING) && may(&rollouts, "c", &SERVING));
    assert!(!may(&rollouts, "d", &SERVING), "two at a time");
    assert!(may(&rollouts, "b", &[("new", true)]));
    assert!(may(&rollouts, "d", &SERVING));
}

#[test]
fn a_version_that_does_not_work_takes_down_one_route_and_the_next_one_repairs_it() {
    let broken = Rollouts::new(5);
    assert!(may(&broken, "a", &SERVING) && may(&broken, "a", &[("new", false)]));
    for route in ["b", "c", "d"] {
        assert!(!may(&broken, route, &SERVING));
    }
    // The operator of the version after that.
    let next = Rollouts::new(5);
    assert!(may(&next, "b", &SERVING));
    assert!(
        may(&next, "a", &[("broken", false)]),
        "what does not serve need not wait"
    );
}

#[test]
fn a_route_waits_neither_for_its_authors_change_nor_without_pods() {
    let rollouts = Rollouts::new(1);
    assert!(may(&rollouts, "a", &SERVING));
    assert_eq!(
        rollouts.turn(&names("b"), "new", &[pod("old", true)], true),
        Turn::Now
    );
    assert!(may(&rollouts, "c", &[]));
}

#[test]
fn what_an_earlier_process_began_counts() {
    let rollouts = Rollouts::new(1);
    assert!(may(&rollouts, "a", &[("new", true)]));
    assert!(may(&rollouts, "b", &[("old", true), ("new", false)]));
    assert!(!may(&rollouts, "c", &SERVING), "b is being changed");
}

#[test]
fn a_deleted_route_holds_nobody_up_and_a_waiting_one_says_for_whom_it_waits() {
    let rollouts = Rollouts::new(5);
    assert!(may(&rollouts, "a", &SERVING));
    let Turn::Wait { template, reason } = rollouts.turn(&names("b"), "new", &[pod("old", true)], false)
    else {
        panic!("b should wait");
    };
    assert_eq!(template, "old");
    assert!(reason.contains("tools/a"), "{reason}");
    rollouts.forget(&names("a"));
    assert!(may(&rollouts, "b", &SERVING));
    rollouts.retain(|_, route| route != "b");
    assert!(may(&rollouts, "c", &SERVING));
}
