//! The store's methods, each one access to the state behind the lock.
//!
//! Part of [`super::Memory`]. Invariant: nothing is awaited, so each method is atomic.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Memory, Record};
use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{Applied, Call, Job, Key, NewJob, Owner, Rank, Receiver, Stamp, Step};
use crate::store::scan::Found;
use crate::store::{
    Acceptance, Claim, ClaimDue, ClientUse, Counts, Due, Error, Evict, Evicted, Jobs, Ownership, People,
    Queues, Scan, SessionRow, SessionRows, Space, Store, Sweep, Upkeep, Waiting,
};

impl Memory {
    fn of<T>(&self, id: JobId, read: impl FnOnce(&Record) -> T) -> Result<Option<T>, Error> {
        Ok(self.open()?.jobs.get(&id).map(read))
    }
}

impl Ownership for Memory {
    fn owner(&self) -> Owner {
        self.lock().owner()
    }
}

#[async_trait]
impl Jobs for Memory {
    async fn accept(&self, job: NewJob) -> Result<Acceptance, Error> {
        self.commit(|state| state.accept(job))?
    }

    async fn apply(&self, id: JobId, step: Step) -> Result<Applied, Error> {
        self.commit(|state| state.apply(id, step))
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.of(id, |record| record.job.clone())
    }

    async fn call(&self, id: JobId) -> Result<Option<Call>, Error> {
        self.of(id, |record| record.call.clone())
    }

    async fn params(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.of(id, |record| record.params.clone()).map(Option::flatten)
    }

    async fn body(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.of(id, |record| record.body.clone()).map(Option::flatten)
    }

    async fn resume_token(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.of(id, |record| record.token.clone()).map(Option::flatten)
    }

    async fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error> {
        Ok(self.open()?.dedupe.get(&dedupe).copied())
    }
}

#[async_trait]
impl Queues for Memory {
    async fn queued_servers(&self) -> Result<Vec<Key>, Error> {
        Ok(self.open()?.index.queued_servers())
    }

    async fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error> {
        Ok(self.open()?.index.next_queued(server, after))
    }

    async fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error> {
        Ok(self.open()?.index.queued(server, client, limit))
    }

    async fn claim_queued(&self, ids: &[JobId], stamp: Stamp) -> Result<Vec<Claim>, Error> {
        self.commit(|state| {
            state.check_owner(stamp)?;
            Ok(ids.iter().map(|id| state.claim_queued(*id, stamp)).collect())
        })?
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Due, Error> {
        self.commit(|state| {
            state.check_owner(claim.stamp)?;
            Ok(state.claim_due(&claim))
        })?
    }

    async fn receivers(&self) -> Result<Vec<(Receiver, Rank, Millis)>, Error> {
        Ok(self.open()?.index.receivers())
    }

    async fn due(
        &self,
        receiver: Receiver,
        rank: Rank,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<JobId>, Error> {
        Ok(self.open()?.index.due(receiver, rank, now, limit))
    }

    async fn next_due(&self, receiver: Receiver, rank: Rank) -> Result<Option<Millis>, Error> {
        Ok(self.open()?.index.next_due(receiver, rank))
    }

    async fn in_flight(&self) -> Result<Vec<Job>, Error> {
        let state = self.open()?;
        let jobs = state.index.inflight().map(|id| state.jobs[&id].job.clone());
        Ok(jobs.collect())
    }
}

#[async_trait]
impl People for Memory {
    async fn scan(&self, scan: Scan) -> Result<Found, Error> {
        self.open()?.scan(&scan)
    }

    async fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error> {
        Ok(self.open()?.history(id))
    }

    async fn remove(&self, id: JobId, stamp: Stamp) -> Result<Applied, Error> {
        self.commit(|state| state.remove_settled(id, stamp))
    }

    async fn client_use(&self, client: Key) -> Result<ClientUse, Error> {
        Ok(self.open()?.client_use(client))
    }
}

#[async_trait]
impl Upkeep for Memory {
    async fn sweep(&self, sweep: Sweep) -> Result<usize, Error> {
        self.commit(|state| state.sweep(&sweep))
    }

    async fn reclaim(&self, limit: usize) -> Result<usize, Error> {
        self.commit(|state| state.reclaim(limit))
    }

    async fn oldest_queued(&self) -> Result<Option<Millis>, Error> {
        Ok(self.open()?.oldest_queued())
    }

    async fn evict(&self, evict: Evict) -> Result<Option<Evicted>, Error> {
        self.commit(|state| state.evict(evict))
    }

    async fn waiting(
        &self,
        after: Option<Waiting>,
        before: Millis,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        Ok(self.open()?.index.waiting(after, before, limit))
    }

    fn space(&self) -> Space {
        self.lock().space()
    }

    fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn is_up(&self) -> bool {
        !self.lock().closed
    }

    fn high_water(&self) -> Millis {
        self.lock().high_water
    }
}

#[async_trait]
impl SessionRows for Memory {
    async fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error> {
        Ok(self.open()?.sessions.get(&sid).cloned())
    }

    async fn swap_session(&self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error> {
        self.commit(|state| state.swap_session(sid, row))?
    }
}

#[async_trait]
impl Store for Memory {
    async fn close(&self) -> Result<(), Error> {
        self.lock().closed = true;
        self.metrics.set_up(false);
        Ok(())
    }
}
