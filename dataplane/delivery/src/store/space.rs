//! How much of its space a store uses, and what still fits.
//!
//! Stores return it, the engine asks it before executions start. Invariant: only new work is refused for lack of
//! space; ends, deletes and deliveries continue.

use super::Counts;

/// Up to here delivered results are kept for `webhook.resultRetention`, in percent of the budget.
const ROOMY: u64 = 60;
/// No new jobs from here on.
const NO_JOBS: u64 = 70;
/// The share of that which one client's payloads may use, in percent: the rest is left for the others.
const ONE_CLIENT: u64 = 75;
/// Kept free below [`NO_JOBS`] as long as there are dead letters to evict, so that the next calls find room at once.
const FOR_THE_NEXT: u64 = 1;
/// What the rows of sessions may use, in percent of the budget.
const SESSIONS: u64 = 10;
/// And in bytes, also where there is no budget: some 150,000 sessions.
const MOST_SESSIONS: u64 = 64 << 20;
/// What the bodies of events about dead letters may use, in percent of the budget; what is kept beside them is about as
/// much again.
const NOTICES: u64 = 1;
/// And in bytes, also where there is no budget: some 2,000 events.
const MOST_NOTICES: u64 = 1 << 20;
/// No executions start from here on.
const NO_EXECUTIONS: u64 = 85;
/// Reserved for each job that waits or runs, beside its arguments: the rows of its outcome.
const QUEUED: u64 = 4 << 10;
/// Reserved in addition for one that runs: a result of common size.
const RUNNING: u64 = 64 << 10;

/// The space of a store, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// What is used, and what is reserved for jobs that wait or run.
    pub used: u64,
    /// What may be used; `None` for unlimited.
    pub budget: Option<u64>,
    /// The disk was full at the last write, and is not known to have space since.
    pub is_full: bool,
}

impl Space {
    /// Whether a new job of this many bytes fits.
    pub fn holds_job(&self, bytes: u64) -> bool {
        !self.is_full && self.used.saturating_add(bytes + QUEUED) <= self.up_to(NO_JOBS)
    }

    /// Whether new jobs are refused, small ones too.
    pub fn refuses_jobs(&self) -> bool {
        !self.holds_job(0)
    }

    /// How many bytes the payloads of one client may have; `None` where there is no budget, and on a full disk, where the
    /// budget is only what is used.
    pub fn client_share(&self) -> Option<u64> {
        let has_budget = self.budget.is_some() && !self.is_full;
        has_budget.then(|| self.up_to(NO_JOBS) / 100 * ONE_CLIENT)
    }

    /// Whether the rows of sessions may use this many bytes.
    pub fn holds_sessions(&self, bytes: u64) -> bool {
        !self.is_full && bytes <= self.up_to(SESSIONS).min(MOST_SESSIONS)
    }

    /// Whether the bodies of events about dead letters may use this many bytes.
    pub fn holds_notices(&self, bytes: u64) -> bool {
        !self.is_full && bytes <= self.up_to(NOTICES).min(MOST_NOTICES)
    }

    /// How many more executions may start.
    pub fn executions(&self) -> u64 {
        if self.is_full {
            return 0;
        }
        self.up_to(NO_EXECUTIONS).saturating_sub(self.used) / RUNNING
    }

    /// How many bytes of dead letters have to go so that new jobs are accepted. 0 on a full disk: what fills it may be
    /// something else.
    pub fn excess(&self) -> u64 {
        if self.is_full {
            return 0;
        }
        self.used.saturating_sub(self.up_to(NO_JOBS - FOR_THE_NEXT))
    }

    /// Whether delivered results should be deleted early.
    pub fn is_crowded(&self) -> bool {
        self.is_full || self.used > self.up_to(ROOMY)
    }

    fn up_to(&self, percent: u64) -> u64 {
        self.budget.map_or(u64::MAX, |budget| budget / 100 * percent)
    }
}

/// What is reserved for the jobs that wait or run.
pub(super) fn reserved(counts: &Counts) -> u64 {
    QUEUED * (counts.queued + counts.running) + RUNNING * counts.running
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn space(used: u64) -> Space {
        Space {
            used,
            budget: Some(100 << 20),
            is_full: false,
        }
    }

    #[test]
    fn new_jobs_are_refused_before_executions_are() {
        assert!(space(0).holds_job(69 << 20) && !space(0).holds_job(70 << 20));
        assert!(!space(69 << 20).refuses_jobs() && space(70 << 20).refuses_jobs());
        assert_eq!(space(70 << 20).executions(), 15 * 16);
        assert_eq!(space((85 << 20) - 1).executions(), 0);
        assert_eq!(space(99 << 20).executions(), 0);
    }

    #[test]
    fn delivered_results_go_before_anything_is_refused() {
        let crowded = space(61 << 20);
        assert!(crowded.is_crowded() && !crowded.refuses_jobs());
        assert!(!space(59 << 20).is_crowded());
    }

    #[test]
    fn a_store_without_bounds_takes_everything_until_its_disk_refuses() {
        let free = Space {
            used: u64::MAX / 2,
            ..Space::default()
        };
        assert!(free.holds_job(1 << 40) && free.executions() > 1000 && !free.is_crowded());
        let full = Space {
            is_full: true,
            ..Space::default()
        };
        assert!(full.refuses_jobs() && full.executions() == 0 && full.is_crowded());
    }

    #[test]
    fn one_client_leaves_a_quarter_to_the_others() {
        let share = space(0).client_share().unwrap();
        assert!((52 << 20..53 << 20).contains(&share), "{share}");
        assert_eq!(Space::default().client_share(), None);
        let full = Space {
            is_full: true,
            ..space(9)
        };
        assert_eq!(full.client_share(), None);
    }

    #[test]
    fn dead_letters_go_just_before_new_jobs_are_refused() {
        assert_eq!(space(69 << 20).excess(), 0);
        let almost = space((69 << 20) + 5);
        assert!(almost.excess() == 5 && !almost.refuses_jobs());
        assert_eq!(Space::default().excess(), 0);
        let full = Space {
            is_full: true,
            ..almost
        };
        assert_eq!(full.excess(), 0);
    }

    #[test]
    fn sessions_use_a_tenth_and_never_much() {
        assert!(space(0).holds_sessions(9 << 20) && !space(0).holds_sessions(11 << 20));
        let unlimited = Space::default();
        assert!(unlimited.holds_sessions(64 << 20) && !unlimited.holds_sessions(65 << 20));
    }

    #[test]
    fn events_use_a_hundredth_and_never_much() {
        assert!(space(99 << 20).holds_notices(1 << 20) && !space(0).holds_notices((1 << 20) + 1));
        let small = Space {
            budget: Some(10 << 20),
            ..space(0)
        };
        assert!(small.holds_notices(100 << 10) && !small.holds_notices(200 << 10));
        let full = Space {
            is_full: true,
            ..space(0)
        };
        assert!(!full.holds_notices(0));
        assert!(!Space::default().holds_notices(2 << 20));
    }

    #[test]
    fn what_runs_reserves_more_than_what_waits() {
        let counts = Counts {
            queued: 2,
            running: 1,
            due: 9,
            ..Counts::default()
        };
        assert_eq!(reserved(&counts), 3 * 4096 + 65_536);
    }
}
