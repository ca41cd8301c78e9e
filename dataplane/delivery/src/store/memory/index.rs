//! The rows that [`Job::rows`] names, as ordered sets, and the queries over them.
//!
//! Part of [`super::Memory`]. Invariant: holds exactly the rows of the jobs that were added and not removed.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::Range;

use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Job, Key, Rank, Receiver};
use crate::store::Waiting;

const FIRST_ID: JobId = JobId::MIN;
const LAST_ID: JobId = JobId::MAX;
const FIRST_KEY: Key = Key([0; 8]);
const LAST_KEY: Key = Key([255; 8]);
const END: Millis = Millis(u64::MAX);

#[derive(Debug, Default, PartialEq)]
pub(super) struct Index {
    queued: BTreeSet<(Key, Key, JobId)>,
    inflight: BTreeSet<JobId>,
    due: BTreeSet<(Receiver, Rank, Millis, JobId)>,
    waiting: BTreeSet<Waiting>,
    dead: BTreeSet<(Millis, JobId)>,
    dead_of: BTreeSet<(Key, Millis, JobId)>,
    settled: BTreeSet<(Millis, JobId)>,
}

impl Index {
    pub(super) fn insert(&mut self, job: &Job) {
        let (id, rows) = (job.id, job.rows());
        self.queued
            .extend(rows.queued.map(|(server, client)| (server, client, id)));
        self.inflight.extend(rows.inflight.then_some(id));
        self.due
            .extend(rows.due.map(|(receiver, rank, at)| (receiver, rank, at, id)));
        self.waiting.extend(rows.waiting.map(|at| (at, id)));
        self.dead.extend(rows.dead.map(|at| (at, id)));
        self.dead_of
            .extend(rows.dead_of.map(|(client, at)| (client, at, id)));
        self.settled.extend(rows.settled.map(|at| (at, id)));
    }

    pub(super) fn remove(&mut self, job: &Job) {
        let (id, rows) = (job.id, job.rows());
        if let Some((server, client)) = rows.queued {
            self.queued.remove(&(server, client, id));
        }
        if rows.inflight {
            self.inflight.remove(&id);
        }
        if let Some((receiver, rank, at)) = rows.due {
            self.due.remove(&(receiver, rank, at, id));
        }
        if let Some((client, at)) = rows.dead_of {
            self.dead_of.remove(&(client, at, id));
        }
        for (set, at) in [
            (&mut self.waiting, rows.waiting),
            (&mut self.dead, rows.dead),
            (&mut self.settled, rows.settled),
        ] {
            if let Some(at) = at {
                set.remove(&(at, id));
            }
        }
    }

    pub(super) fn queued_servers(&self) -> Vec<Key> {
        let mut servers = Vec::new();
        let mut next = self.queued.first();
        while let Some((server, ..)) = next {
            servers.push(*server);
            let past = (
                Excluded((*server, LAST_KEY, LAST_ID)),
                Included((LAST_KEY, LAST_KEY, LAST_ID)),
            );
            next = self.queued.range(past).next();
        }
        servers
    }

    pub(super) fn next_queued(&self, server: Key, after: Option<Key>) -> Option<(Key, JobId)> {
        let first = (server, FIRST_KEY, FIRST_ID);
        let last = (server, LAST_KEY, LAST_ID);
        let further = after.and_then(|client| {
            let past = (server, client, LAST_ID);
            self.queued.range((Excluded(past), Included(last))).next()
        });
        further
            .or_else(|| self.queued.range(first..=last).next())
            .map(|(_, client, id)| (*client, *id))
    }

    pub(super) fn queued(&self, server: Key, client: Key, limit: usize) -> Vec<JobId> {
        let (first, last) = ((server, client, FIRST_ID), (server, client, LAST_ID));
        let rows = self.queued.range(first..=last).take(limit);
        rows.map(|(.., id)| *id).collect()
    }

    pub(super) fn inflight(&self) -> impl Iterator<Item = JobId> {
        self.inflight.iter().copied()
    }

    pub(super) fn inflight_in(&self, ids: Range<JobId>) -> impl DoubleEndedIterator<Item = JobId> {
        self.inflight.range(ids).copied()
    }

    pub(super) fn dead_in(&self, times: Range<(Millis, JobId)>) -> impl DoubleEndedIterator<Item = JobId> {
        self.dead.range(times).map(|(_, id)| *id)
    }

    pub(super) fn receivers(&self) -> Vec<(Receiver, Rank, Millis)> {
        let mut receivers = Vec::new();
        let mut next = self.due.first();
        while let Some((receiver, rank, at, _)) = next {
            receivers.push((*receiver, *rank, *at));
            let past = (
                Excluded((*receiver, *rank, END, LAST_ID)),
                Included((Receiver::MAX, Rank::Replayed, END, LAST_ID)),
            );
            next = self.due.range(past).next();
        }
        receivers
    }

    pub(super) fn due(&self, receiver: Receiver, rank: Rank, now: Millis, limit: usize) -> Vec<JobId> {
        let first = (receiver, rank, Millis(0), FIRST_ID);
        let last = (receiver, rank, now, LAST_ID);
        let rows = self.due.range(first..=last).take(limit);
        rows.map(|(.., id)| *id).collect()
    }

    pub(super) fn next_due(&self, receiver: Receiver, rank: Rank) -> Option<Millis> {
        let first = (receiver, rank, Millis(0), FIRST_ID);
        let last = (receiver, rank, END, LAST_ID);
        self.due.range(first..=last).next().map(|(_, _, at, _)| *at)
    }

    /// Ids grow with time.
    pub(super) fn oldest_queued(&self) -> Option<JobId> {
        self.queued.iter().map(|(.., id)| *id).min()
    }

    pub(super) fn waiting(&self, after: Option<Waiting>, before: Millis, limit: usize) -> Vec<Waiting> {
        let first = after.map_or(Unbounded, Excluded);
        let rows = self.waiting.range((first, Unbounded));
        rows.take_while(|(at, _)| *at < before)
            .take(limit)
            .copied()
            .collect()
    }

    /// The clients that have dead letters with bodies.
    pub(super) fn clients_with_dead(&self) -> BTreeSet<Key> {
        self.dead_of.iter().map(|(client, ..)| *client).collect()
    }

    /// The dead letters of a client that have bodies, the oldest first.
    pub(super) fn dead_of(&self, client: Key, limit: usize) -> Vec<JobId> {
        let (first, last) = ((client, Millis(0), FIRST_ID), (client, END, LAST_ID));
        let rows = self.dead_of.range(first..=last).take(limit);
        rows.map(|(.., id)| *id).collect()
    }

    /// All that are settled, the oldest first.
    pub(super) fn settled(&self) -> impl Iterator<Item = JobId> {
        self.settled.iter().map(|(_, id)| *id)
    }

    pub(super) fn settled_before(&self, time: Millis, limit: usize) -> Vec<JobId> {
        before(&self.settled, time, limit)
    }

    pub(super) fn dead_before(&self, time: Millis, limit: usize) -> Vec<JobId> {
        before(&self.dead, time, limit)
    }
}

fn before(rows: &BTreeSet<(Millis, JobId)>, time: Millis, limit: usize) -> Vec<JobId> {
    let rows = rows.range(..(time, FIRST_ID)).take(limit);
    rows.map(|(_, id)| *id).collect()
}
