//! A simulation that finds faults nobody thought of: the real engine in worlds where everything goes wrong.
//!
//! A seed makes a plan (`generate`): calls, requests of clients and administrators, and what servers, receivers,
//! the store, the route's author and the process's end do to them. `process` carries it out under a paused
//! clock, on one thread, `rest` waits until nothing happens any more, `judge` says what did not hold, and
//! `shrink` takes away from the plan what that does not need. Only `disk` knows the store's trait; only `people`
//! and `process` know the engine. `make simulate` runs many more seeds than the tests do. Invariant: a seed
//! repeats exactly.

mod announced;
mod bodies;
mod dice;
mod disk;
mod event;
mod fairness;
mod found;
mod generate;
mod judge;
mod ledger;
mod people;
mod plan;
mod process;
mod receivers;
mod report;
mod rest;
mod servers;
mod shrink;
mod story;
mod trouble;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use self::event::Moment;
use self::judge::{Condition, Finding};
use self::plan::Plan;
use self::trouble::Trouble;
use self::world::World;

/// What the engine does not bear yet: worlds have no such trouble, and such findings are passed over. A scenario
/// of `found` that is named here has to fail. Empty everything that is mended.
const UNMENDED: Unmended = Unmended {
    troubles: &[],
    conditions: &[],
    scenarios: &[],
};

struct Unmended {
    troubles: &'static [Trouble],
    conditions: &'static [Condition],
    scenarios: &'static [&'static str],
}

/// How many worlds a test run simulates.
const SEEDS: u64 = 2_000;

/// A world that was run.
struct Ended {
    moments: Vec<Moment>,
    findings: Vec<Finding>,
}

fn run(plan: Plan) -> Ended {
    let world = Arc::new(World::new(plan));
    process::run(&world);
    Ended {
        findings: judge::judge(&world),
        moments: world.moments(),
    }
}

fn fails(plan: &Plan, condition: Condition) -> bool {
    let findings = run(plan.clone()).findings;
    findings.iter().any(|finding| finding.condition == condition)
}

/// The gravest finding that is not one of those that are known.
fn failure(plan: &Plan) -> Option<Condition> {
    let findings = run(plan.clone()).findings.into_iter();
    let mut conditions = findings.map(|finding| finding.condition);
    conditions.find(|condition| !UNMENDED.conditions.contains(condition))
}

fn plan(seed: u64) -> Plan {
    let mut allowed = Trouble::ALL.to_vec();
    allowed.retain(|trouble| !UNMENDED.troubles.contains(trouble));
    generate::plan(seed, &allowed)
}

/// The first seed found that fails, and how; all cores look for one.
fn search(seeds: u64) -> Option<(u64, Condition)> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let look = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds)?;
            report::progress(seed, seeds);
            if let Some(condition) = failure(&plan(seed)) {
                stop.store(true, Ordering::Relaxed);
                return Some((seed, condition));
            }
        }
        None
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(look)).collect();
        let found = workers.into_iter().filter_map(|worker| worker.join().unwrap());
        found.min()
    })
}

/// A number from the environment, as `make simulate` gives it.
fn asked_for(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn every_world_comes_to_rest_and_nothing_was_lost_or_done_twice() {
    if let Some(seed) = asked_for("SIMULATE_SEED") {
        report::print(&plan(seed));
        let failure = failure(&plan(seed)).map(|condition| (seed, condition));
        return assert!(
            failure.is_none(),
            "{}",
            report::shrunk(&plan(seed), failure.unwrap())
        );
    }
    let failure = search(asked_for("SIMULATE_SEEDS").unwrap_or(SEEDS));
    if let Some((seed, condition)) = failure {
        panic!("{}", report::shrunk(&plan(seed), (seed, condition)));
    }
}

#[test]
fn a_seed_repeats_exactly() {
    for seed in 0..40 {
        let plan = generate::plan(seed, &Trouble::ALL);
        let (one, two) = (run(plan.clone()), run(plan));
        let (one, two) = (story::tell(&one.moments), story::tell(&two.moments));
        assert_eq!(one, two, "seed {seed}");
    }
}
