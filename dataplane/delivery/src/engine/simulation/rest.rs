//! Whether a world came to rest after its faults, or has a job that nothing happens to any more.
//!
//! Invariant: reads what is committed and what servers and receivers have in progress, never the engine.

use std::time::Duration;

use super::disk::at_once;
use super::event::Event;
use super::plan::Number;
use super::world::World;
use crate::clock::Millis;
use crate::job::Job;
use crate::store::roles::*;
use crate::store::scan::Scan;

const LOOK: Duration = Duration::from_secs(5);
/// What was asked last may still be answered: a commit that reported failure is read again after the engine's longest wait.
const LAST_ANSWER: Duration = Duration::from_secs(45);
/// A job that nobody holds, and that nothing happened to for so long after its turn, is stuck. A breaker leaves
/// its receiver alone for five minutes at most.
const STILL: Duration = Duration::from_mins(7);
/// A world that is not at rest this long after its faults never will be.
const LONGEST: Duration = Duration::from_hours(2);

/// Returns when all jobs are settled, or one is stuck.
pub(super) async fn rest(world: &World) {
    let calm = world.now();
    loop {
        tokio::time::sleep(LOOK).await;
        let open = open(world);
        if open.is_empty() {
            tokio::time::sleep(LAST_ANSWER).await;
            return;
        }
        let stuck: Vec<Number> = open
            .iter()
            .filter(|job| is_still(world, job, calm))
            .map(|job| world.number(job.id))
            .collect();
        if !stuck.is_empty() || world.now() > calm + LONGEST {
            let stuck = if stuck.is_empty() {
                open.iter().map(|job| world.number(job.id)).collect()
            } else {
                stuck
            };
            world.note(Event::Stuck(stuck));
            return;
        }
    }
}

fn open(world: &World) -> Vec<Job> {
    let mut jobs = all(world);
    jobs.retain(Job::is_pending);
    jobs
}

/// Every job there is.
pub(super) fn all(world: &World) -> Vec<Job> {
    let scan = Scan {
        filter: crate::store::scan::Filter::default(),
        order: crate::store::scan::Order::Oldest,
        after: None,
        limit: 1000,
        rows: 1000,
    };
    at_once(world.memory.scan(scan)).expect("memory is up").jobs
}

fn is_still(world: &World, job: &Job, calm: Duration) -> bool {
    let known = world.known(world.number(job.id));
    let turn = world.time_of(job.rows().due.map_or(Millis(0), |(.., at)| at));
    known.held == 0 && world.now() > known.moved.max(calm).max(turn) + STILL
}
