//! A store that may stall, refuse, or commit and report a failure, over what is committed in the world.
//!
//! Each process opens one. A commit continues when its caller hangs up, as in a store with a writer of
//! its own. Invariant: what is refused changes nothing, and what the process's death cut is committed as a whole
//! or not at all. This is the one file of the simulation that knows the store's trait.

mod commit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

pub(super) use self::commit::at_once;
use self::commit::{accept, apply, claim_due, claim_queued, steps};
use super::event::{Event, Step};
use super::plan::{Number, OnDisk, Weather};
use super::world::World;
use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{self, Applied, Call, Job, Key, NewJob, Owner, Rank, Receiver, Stamp};
use crate::store::memory::Memory;
use crate::store::roles::*;
use crate::store::scan::Found;
use crate::store::{
    Acceptance, Claim, ClaimDue, ClientUse, Counts, Due, Error, Evict, Evicted, Scan, SessionRow, Space,
    Sweep, Waiting,
};

/// See the module.
pub(super) struct Disk {
    world: Arc<World>,
    owner: Owner,
    is_closed: AtomicBool,
}

/// What becomes of one commit.
struct Fate {
    does: OnDisk,
    delay: Duration,
}

impl Disk {
    /// For the next process, whose epoch begins.
    pub(super) fn open(world: Arc<World>) -> Self {
        world.memory.restart();
        Self {
            owner: world.memory.owner(),
            is_closed: AtomicBool::new(false),
            world,
        }
    }

    /// Makes a commit that concerns a call, as the plan says.
    async fn commit<T: Send + 'static>(
        &self,
        call: Number,
        steps: Vec<Step>,
        act: impl FnOnce(&World, bool) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.world.alive().await;
        self.open_still()?;
        let fate = self.fate(call);
        let (reply, answer) = oneshot::channel();
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            let done = carry_out(&world, fate, (call, steps), act).await;
            let _hung_up = reply.send(done);
        });
        answer.await.unwrap_or_else(|_| Err(unsure()))
    }

    fn fate(&self, call: Number) -> Fate {
        let (planned, delay) = self.world.commit(call);
        let weather = self.world.weather().find_map(|weather| match weather {
            Weather::StoreDown => Some(OnDisk::Refuses),
            Weather::StoreSlow(delay) => Some(OnDisk::Stalls(delay)),
            Weather::StoreUnsure => Some(OnDisk::IsUnsure),
            _ => None,
        });
        let does = planned.or(weather).unwrap_or(OnDisk::Stalls(delay));
        Fate { does, delay }
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.world.alive().await;
        let delay = self.world.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
            self.world.alive().await;
        }
        self.open_still()?;
        if self.world.weather().any(|weather| weather == Weather::StoreDown) {
            return Err(down());
        }
        read.await
    }

    fn open_still(&self) -> Result<(), Error> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Error::Down("it is closed".to_owned()));
        }
        Ok(())
    }

    fn memory(&self) -> &Memory {
        &self.world.memory
    }
}

fn down() -> Error {
    Error::Down("the plan says so".to_owned())
}

fn unsure() -> Error {
    Error::Unknown("the plan says so".to_owned())
}

async fn carry_out<T>(
    world: &World,
    fate: Fate,
    (call, steps): (Number, Vec<Step>),
    act: impl FnOnce(&World, bool) -> Result<T, Error>,
) -> Result<T, Error> {
    let delay = match fate.does {
        OnDisk::Stalls(delay) => delay,
        _ => fate.delay,
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    world.alive().await;
    match fate.does {
        OnDisk::Stalls(_) => act(world, true),
        OnDisk::Refuses => {
            world.note(Event::Refused { call, steps });
            Err(down())
        }
        OnDisk::IsUnsure => act(world, false).and(Err(unsure())),
        OnDisk::DiesBefore => dead(world).await,
        OnDisk::DiesAfter => {
            let _unheard = act(world, false);
            dead(world).await
        }
    }
}

async fn dead<T>(world: &World) -> T {
    world.die();
    std::future::pending().await
}

impl Ownership for Disk {
    fn owner(&self) -> Owner {
        self.owner
    }
}

#[async_trait]
impl Jobs for Disk {
    async fn accept(&self, job: NewJob) -> Result<Acceptance, Error> {
        let call = self.world.number(job.id);
        let act = move |world: &World, reported| accept(world, job, call, reported);
        self.commit(call, vec![Step::Accept], act).await
    }

    async fn apply(&self, id: JobId, step: job::Step) -> Result<Applied, Error> {
        let call = self.world.number(id);
        let steps = steps(&step.changes);
        let act = move |world: &World, reported| apply(world, (id, step), call, reported);
        self.commit(call, steps, act).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.read(self.memory().job(id)).await
    }

    async fn call(&self, id: JobId) -> Result<Option<Call>, Error> {
        self.read(self.memory().call(id)).await
    }

    async fn params(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.read(self.memory().params(id)).await
    }

    async fn body(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.read(self.memory().body(id)).await
    }

    async fn resume_token(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.read(self.memory().resume_token(id)).await
    }

    async fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error> {
        self.read(self.memory().find(dedupe)).await
    }
}

#[async_trait]
impl Queues for Disk {
    async fn queued_servers(&self) -> Result<Vec<Key>, Error> {
        self.read(self.memory().queued_servers()).await
    }

    async fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error> {
        self.read(self.memory().next_queued(server, after)).await
    }

    async fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error> {
        self.read(self.memory().queued(server, client, limit)).await
    }

    async fn claim_queued(&self, ids: &[JobId], stamp: Stamp) -> Result<Vec<Claim>, Error> {
        let Some(first) = ids.first() else {
            return Ok(Vec::new());
        };
        let (call, ids) = (self.world.number(*first), ids.to_vec());
        let act = move |world: &World, reported| claim_queued(world, &ids, stamp, reported);
        self.commit(call, vec![Step::Start], act).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Due, Error> {
        let (receiver, stamp) = (claim.receiver, claim.stamp);
        let first = Rank::ALL.into_iter().find_map(|rank| {
            let due = at_once(self.memory().due(receiver, rank, stamp.at, 1)).ok()?;
            due.first().map(|id| self.world.number(*id))
        });
        let Some(call) = first else {
            return self.read(self.memory().claim_due(claim)).await;
        };
        let act = move |world: &World, reported| claim_due(world, claim, reported);
        self.commit(call, vec![Step::Claim], act).await
    }

    async fn receivers(&self) -> Result<Vec<(Receiver, Rank, Millis)>, Error> {
        self.read(self.memory().receivers()).await
    }

    async fn due(
        &self,
        receiver: Receiver,
        rank: Rank,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<JobId>, Error> {
        self.read(self.memory().due(receiver, rank, now, limit)).await
    }

    async fn next_due(&self, receiver: Receiver, rank: Rank) -> Result<Option<Millis>, Error> {
        self.read(self.memory().next_due(receiver, rank)).await
    }

    async fn in_flight(&self) -> Result<Vec<Job>, Error> {
        self.read(self.memory().in_flight()).await
    }
}

#[async_trait]
impl People for Disk {
    async fn scan(&self, scan: Scan) -> Result<Found, Error> {
        self.read(self.memory().scan(scan)).await
    }

    async fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error> {
        self.read(self.memory().history(id)).await
    }

    async fn remove(&self, id: JobId, stamp: Stamp) -> Result<Applied, Error> {
        self.read(self.memory().remove(id, stamp)).await
    }

    async fn client_use(&self, client: Key) -> Result<ClientUse, Error> {
        self.read(self.memory().client_use(client)).await
    }
}

#[async_trait]
impl Upkeep for Disk {
    async fn oldest_queued(&self) -> Result<Option<Millis>, Error> {
        self.read(self.memory().oldest_queued()).await
    }

    async fn waiting(
        &self,
        after: Option<Waiting>,
        before: Millis,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        self.read(self.memory().waiting(after, before, limit)).await
    }

    async fn sweep(&self, sweep: Sweep) -> Result<usize, Error> {
        self.read(self.memory().sweep(sweep)).await
    }

    async fn evict(&self, evict: Evict) -> Result<Option<Evicted>, Error> {
        self.read(self.memory().evict(evict)).await
    }

    async fn reclaim(&self, limit: usize) -> Result<usize, Error> {
        self.read(self.memory().reclaim(limit)).await
    }

    fn space(&self) -> Space {
        self.memory().space()
    }

    fn counts(&self) -> Counts {
        self.memory().counts()
    }

    fn is_up(&self) -> bool {
        self.open_still().is_ok()
    }

    fn high_water(&self) -> Millis {
        self.memory().high_water()
    }
}

#[async_trait]
impl SessionRows for Disk {
    async fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error> {
        self.read(self.memory().session(sid)).await
    }

    async fn swap_session(&self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error> {
        self.read(self.memory().swap_session(sid, row)).await
    }
}

#[async_trait]
impl Store for Disk {
    async fn close(&self) -> Result<(), Error> {
        self.is_closed.store(true, Ordering::Relaxed);
        Ok(())
    }
}
