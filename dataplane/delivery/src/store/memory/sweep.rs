//! Removing from memory what is over and old.
//!
//! Part of [`super::Memory`]. Invariant: a job is removed with every row that names it.

use super::State;
use crate::id::JobId;
use crate::job::{Applied, Stamp};
use crate::store::{HEARTBEAT, Sweep};

impl State {
    pub(super) fn sweep(&mut self, sweep: &Sweep) -> usize {
        let sessions = self.sweep_sessions(sweep);
        let settled = self
            .index
            .settled_before(sweep.settled_before, sweep.limit - sessions);
        let left = sweep.limit - sessions - settled.len();
        let dead = self.index.dead_before(sweep.dead_before, left);
        for id in settled.iter().chain(&dead) {
            self.remove(*id);
        }
        let gone = sessions + settled.len() + dead.len();
        if gone > 0 || sweep.now >= self.high_water.plus(HEARTBEAT) {
            self.passed(sweep.now);
        }
        gone
    }

    fn sweep_sessions(&mut self, sweep: &Sweep) -> usize {
        let expired: Vec<_> = self
            .expiring
            .range(..(sweep.now, [0; 16]))
            .take(sweep.limit)
            .copied()
            .collect();
        for row in &expired {
            self.expiring.remove(row);
            let gone = self.sessions.remove(&row.1);
            self.session_bytes -= gone.map_or(0, |row| row.weight());
        }
        expired.len()
    }

    pub(super) fn remove_settled(&mut self, id: JobId, stamp: Stamp) -> Applied {
        if stamp.by != self.owner() {
            return Applied::Fenced;
        }
        let job = match self.jobs.get(&id) {
            None => return Applied::Gone,
            Some(record) => record.job.clone(),
        };
        if !job.state.is_settled() {
            return Applied::Moved(job);
        }
        self.remove(id);
        self.passed(stamp.at);
        Applied::Applied(job)
    }

    pub(super) fn remove(&mut self, id: JobId) {
        if let Some(record) = self.jobs.remove(&id) {
            self.taken -= record.weight();
            let names = record.job.names.iter().chain([&record.job.dedupe]);
            for name in names {
                if self.dedupe.get(name) == Some(&id) {
                    self.dedupe.remove(name);
                }
            }
            self.file(Some(&record.job), None);
        }
    }
}
