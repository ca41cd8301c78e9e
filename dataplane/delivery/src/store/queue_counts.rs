//! How many jobs are queued for each server: what `servers[].maxQueuedJobs` is compared with.
//!
//! Stores update it with every job, in the commit that changes the job. Invariant: a function of the jobs' headers
//! alone, with an entry for each server that has a queue.

use std::collections::BTreeMap;

use super::Error;
use super::codec::{Reader, Writer};
use crate::job::{Job, Key};

/// Queued jobs by server; no server with none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueCounts(BTreeMap<Key, u64>);

impl QueueCounts {
    /// How many are queued for `server`.
    pub(super) fn queued_for(&self, server: Key) -> u64 {
        self.0.get(&server).copied().unwrap_or(0)
    }

    /// Counts a job that went from `before` to `after`; `None` is before acceptance or after removal.
    pub(super) fn shift(&mut self, before: Option<&Job>, after: Option<&Job>) {
        let queue = |job: Option<&Job>| Some(job?.rows().queued?.0);
        match (queue(before), queue(after)) {
            (None, Some(server)) => self.add(server),
            (Some(server), None) => self.remove(server),
            _ => {} // a job never changes its server
        }
    }

    /// One more is queued for `server`.
    pub(super) fn add(&mut self, server: Key) {
        *self.0.entry(server).or_default() += 1;
    }

    fn remove(&mut self, server: Key) {
        match self.queued_for(server) {
            0 | 1 => drop(self.0.remove(&server)),
            more => drop(self.0.insert(server, more - 1)),
        }
    }

    pub(super) fn write(&self, value: &mut Writer) {
        value.u32(u32::try_from(self.0.len()).expect("a route has a few servers"));
        for (server, count) in &self.0 {
            value.array(server.0);
            value.u64(*count);
        }
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self, Error> {
        let len = value.u32()?;
        let counts = (0..len).map(|_| Ok((Key(value.array()?), value.u64()?)));
        counts.collect::<Result<_, Error>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::job::{Change, Owner, Stamp};
    use crate::store::conformance::new_job;

    #[test]
    fn counts_what_is_queued_and_forgets_empty_queues() {
        let mut counts = QueueCounts::default();
        let queued = Job::accepted(&new_job(1));
        let running = queued
            .after(
                &Change::Start,
                Stamp {
                    by: Owner::default(),
                    at: Millis(5),
                },
            )
            .unwrap();
        counts.shift(None, Some(&queued));
        counts.shift(None, Some(&queued));
        assert_eq!(counts.queued_for(queued.server), 2);
        counts.shift(Some(&queued), Some(&running));
        counts.shift(Some(&running), Some(&running));
        assert_eq!(counts.queued_for(queued.server), 1);
        counts.shift(Some(&running), Some(&queued));
        counts.shift(Some(&queued), None);
        counts.shift(Some(&queued), None);
        assert_eq!(counts, QueueCounts::default());
    }

    #[test]
    fn reads_back() {
        let mut counts = QueueCounts::default();
        counts.add(Key([1; 8]));
        counts.add(Key([2; 8]));
        let mut value = Writer::new();
        counts.write(&mut value);
        let value = value.done();
        assert_eq!(
            QueueCounts::read(&mut Reader::open(&value).unwrap()).unwrap(),
            counts
        );
    }
}
