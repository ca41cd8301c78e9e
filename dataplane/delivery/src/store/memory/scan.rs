//! Searching the memory store for people: jobs by a filter, and a job's history.
//!
//! Part of [`super::Memory`]. Invariant: the same walk as in every other store.

use super::{Record, State};
use crate::history::{Entry, KEPT};
use crate::id::JobId;
use crate::job::Job;
use crate::store::Error;
use crate::store::scan::{Found, Order, Scan, Walk};

impl State {
    pub(super) fn scan(&self, scan: &Scan) -> Result<Found, Error> {
        match scan.walk() {
            Walk::Jobs(ids) => self.collect(scan, self.jobs.range(ids).map(|(id, _)| *id)),
            Walk::Inflight(ids) => self.collect(scan, self.index.inflight_in(ids)),
            Walk::Dead(times) => self.collect(scan, self.index.dead_in(times)),
        }
    }

    fn collect(&self, scan: &Scan, ids: impl DoubleEndedIterator<Item = JobId>) -> Result<Found, Error> {
        let job = |id: JobId| -> Result<Job, Error> { Ok(self.jobs[&id].job.clone()) };
        match scan.order {
            Order::Newest => scan.collect(ids.rev().map(job)),
            Order::Oldest => scan.collect(ids.map(job)),
        }
    }

    pub(super) fn history(&self, id: JobId) -> Vec<(u32, Entry)> {
        self.jobs
            .get(&id)
            .map(|record| record.history.iter().cloned().collect())
            .unwrap_or_default()
    }
}

impl Record {
    /// Adds an entry and drops the oldest where there are too many.
    pub(super) fn note(&mut self, entry: Entry) {
        let last = self.history.back().map_or(0, |(number, _)| *number);
        self.history.push_back((last + 1, entry));
        if self.history.len() > KEPT as usize {
            self.history.pop_front();
        }
    }
}
