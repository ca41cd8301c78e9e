//! A memory store that can be taken down, that reports failure of commits that happened, and that survives its
//! engine.
//!
//! Every engine test runs on it. Invariant: while it is down nothing is read and nothing is changed; every
//! third step and claim is applied and reported as a failed commit; callers wait for every reply; of a job whose key was
//! taken away only the header can be read.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{Applied, Call, Job, Key, NewJob, Owner, Rank, Receiver, Stamp, Step};
use crate::store::memory::Memory;
use crate::store::metrics::Metrics;
use crate::store::scan::Found;
use crate::store::{
    Acceptance, Claim, ClaimDue, ClientUse, Counts, Due, Error, Evict, Evicted, Jobs, Ownership, People,
    Queues, Scan, SessionRow, SessionRows, Space, Store, Sweep, Upkeep, Waiting,
};

/// One in this many commits happens and is reported as failed.
const LIES: usize = 3;

/// See the module.
pub(super) struct Flaky {
    inner: Memory,
    down: AtomicBool,
    applied: AtomicUsize,
    commits: AtomicUsize,
    /// Jobs whose key is missing.
    sealed: Mutex<HashSet<JobId>>,
}

impl Default for Flaky {
    fn default() -> Self {
        Self {
            inner: Memory::new(Metrics::default()),
            down: AtomicBool::new(false),
            applied: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            sealed: Mutex::default(),
        }
    }
}

impl Flaky {
    /// One that may take this many bytes.
    pub(super) fn bounded(budget: u64) -> Self {
        Self {
            inner: Memory::bounded(Some(budget), Metrics::default()),
            ..Self::default()
        }
    }

    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// The store below, which never lies.
    pub(super) fn inner(&self) -> &Memory {
        &self.inner
    }

    /// The next engine is another process.
    pub(super) fn restart(&self) {
        self.inner.restart();
    }

    /// How often changes of a job were asked for.
    pub(super) fn applied(&self) -> usize {
        self.applied.load(Ordering::Relaxed)
    }

    /// Takes the key of a job away.
    pub(super) fn seal(&self, id: JobId) {
        self.sealed.lock().unwrap().insert(id);
    }

    /// Puts all keys back.
    pub(super) fn unseal(&self) {
        self.sealed.lock().unwrap().clear();
    }

    fn readable(&self, id: JobId) -> Result<&Memory, Error> {
        if self.sealed.lock().unwrap().contains(&id) {
            return Err(Error::Sealed { key: 1 });
        }
        self.up()
    }

    fn up(&self) -> Result<&Memory, Error> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Error::Down("the test says so".to_owned()));
        }
        Ok(&self.inner)
    }

    /// The reply to a commit that happened, which is sometimes reported as unknown.
    fn report<T>(&self, committed: T) -> Result<T, Error> {
        let commits = self.commits.fetch_add(1, Ordering::Relaxed);
        if commits % LIES == LIES - 1 {
            return Err(Error::Unknown("the test says so".to_owned()));
        }
        Ok(committed)
    }
}

impl Ownership for Flaky {
    fn owner(&self) -> Owner {
        self.inner.owner()
    }
}

#[async_trait]
impl Jobs for Flaky {
    async fn accept(&self, job: NewJob) -> Result<Acceptance, Error> {
        let accepted = self.up()?.accept(job).await;
        tokio::task::yield_now().await;
        accepted
    }

    async fn apply(&self, id: JobId, step: Step) -> Result<Applied, Error> {
        self.applied.fetch_add(1, Ordering::Relaxed);
        let applied = self.up()?.apply(id, step).await?;
        tokio::task::yield_now().await;
        self.report(applied)
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.up()?.job(id).await
    }

    async fn call(&self, id: JobId) -> Result<Option<Call>, Error> {
        self.readable(id)?.call(id).await
    }

    async fn params(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.readable(id)?.params(id).await
    }

    async fn body(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.readable(id)?.body(id).await
    }

    async fn resume_token(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.readable(id)?.resume_token(id).await
    }

    async fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error> {
        self.up()?.find(dedupe).await
    }
}

#[async_trait]
impl Queues for Flaky {
    async fn queued_servers(&self) -> Result<Vec<Key>, Error> {
        self.up()?.queued_servers().await
    }

    async fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error> {
        self.up()?.next_queued(server, after).await
    }

    async fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error> {
        self.up()?.queued(server, client, limit).await
    }

    async fn claim_queued(&self, ids: &[JobId], stamp: Stamp) -> Result<Vec<Claim>, Error> {
        let mut claims = Vec::new();
        for id in ids {
            match self.readable(*id) {
                Ok(inner) => claims.extend(inner.claim_queued(&[*id], stamp).await?),
                Err(error @ Error::Sealed { .. }) => claims.push(Claim::Unreadable(error)),
                Err(error) => return Err(error),
            }
        }
        self.applied.fetch_add(ids.len(), Ordering::Relaxed);
        self.report(claims)
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Due, Error> {
        let due = self.up()?.claim_due(claim).await?;
        self.applied.fetch_add(due.claimed.len(), Ordering::Relaxed);
        self.report(due)
    }

    async fn receivers(&self) -> Result<Vec<(Receiver, Rank, Millis)>, Error> {
        self.up()?.receivers().await
    }

    async fn due(
        &self,
        receiver: Receiver,
        rank: Rank,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<JobId>, Error> {
        self.up()?.due(receiver, rank, now, limit).await
    }

    async fn next_due(&self, receiver: Receiver, rank: Rank) -> Result<Option<Millis>, Error> {
        self.up()?.next_due(receiver, rank).await
    }

    async fn in_flight(&self) -> Result<Vec<Job>, Error> {
        self.up()?.in_flight().await
    }
}

#[async_trait]
impl People for Flaky {
    async fn scan(&self, scan: Scan) -> Result<Found, Error> {
        self.up()?.scan(scan).await
    }

    async fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error> {
        self.up()?.history(id).await
    }

    async fn remove(&self, id: JobId, stamp: Stamp) -> Result<Applied, Error> {
        let removed = self.up()?.remove(id, stamp).await?;
        self.report(removed)
    }

    async fn client_use(&self, client: Key) -> Result<ClientUse, Error> {
        self.up()?.client_use(client).await
    }
}

#[async_trait]
impl Upkeep for Flaky {
    async fn sweep(&self, sweep: Sweep) -> Result<usize, Error> {
        self.up()?.sweep(sweep).await
    }

    async fn evict(&self, evict: Evict) -> Result<Option<Evicted>, Error> {
        self.up()?.evict(evict).await
    }

    async fn reclaim(&self, limit: usize) -> Result<usize, Error> {
        self.up()?.reclaim(limit).await
    }

    async fn oldest_queued(&self) -> Result<Option<Millis>, Error> {
        self.up()?.oldest_queued().await
    }

    async fn waiting(
        &self,
        after: Option<Waiting>,
        before: Millis,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        self.up()?.waiting(after, before, limit).await
    }

    fn space(&self) -> Space {
        self.inner.space()
    }

    fn counts(&self) -> Counts {
        self.inner.counts()
    }

    fn is_up(&self) -> bool {
        self.up().is_ok()
    }

    fn high_water(&self) -> Millis {
        self.inner.high_water()
    }
}

#[async_trait]
impl SessionRows for Flaky {
    async fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error> {
        self.up()?.session(sid).await
    }

    async fn swap_session(&self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error> {
        self.up()?.swap_session(sid, row).await
    }
}

#[async_trait]
impl Store for Flaky {
    /// The next engine continues with it.
    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
