//! The store's methods: reads on the caller's thread, writes through the writer thread.
//!
//! Part of [`super::Embedded`]. Invariant: values are encrypted, and large ones written to files, before the writer gets
//! them.

use async_trait::async_trait;
use bytes::Bytes;

use super::op::{Accept, Apply, Notify, Op, Swap};
use super::read::View;
use super::{Embedded, body_of, resume_token_of};
use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{Applied, Call, Change, Job, Key, NewJob, Notice, Owner, Rank, Receiver, Stamp, Step};
use crate::store::scan::Found;
use crate::store::seal::Field;
use crate::store::{
    Acceptance, Claim, ClaimDue, Claimed, ClientUse, Counts, Due, Error, Evict, Evicted, Jobs, KeyUse,
    Ownership, People, Queues, Scan, SessionRow, SessionRows, Space, Store, Sweep, Upkeep, Waiting, codec,
};

impl Ownership for Embedded {
    fn owner(&self) -> Owner {
        self.owner
    }
}

#[async_trait]
impl Jobs for Embedded {
    async fn accept(&self, new: NewJob) -> Result<Acceptance, Error> {
        let params = new.params.clone();
        let call = codec::encode_call(&new.call, new.dedupe.key);
        let call = self.shared.vault().seal(Field::Call, new.id.to_bytes(), call);
        if self.is_hopeless(&new)? {
            return Ok(Acceptance::Full);
        }
        let params = match self.stow(Field::Params, new.id, params).await {
            Err(_) if self.shared.space().is_full => return Ok(Acceptance::Full),
            params => params?,
        };
        let accept = Box::new(Accept { new, call, params });
        self.write(|reply| Op::Accept(accept, reply)).await
    }

    async fn apply(&self, id: JobId, step: Step) -> Result<Applied, Error> {
        let body = match body_of(&step.changes) {
            Some(body) => Some(self.stow(Field::Body, id, body).await?),
            None => None,
        };
        let token = resume_token_of(&step.changes).map(|token| self.seal_resume_token(id, token));
        let notice = match step.changes.iter().find_map(Change::notice) {
            Some(notice) => Some(Box::new(self.notify(notice).await?)),
            None => None,
        };
        let apply = Box::new(Apply {
            id,
            step,
            body,
            token,
            notice,
        });
        self.write(|reply| Op::Apply(apply, reply)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.shared.view()?.job(id)
    }

    async fn call(&self, id: JobId) -> Result<Option<Call>, Error> {
        self.shared.view()?.call(id)
    }

    async fn params(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.payload(Field::Params, id).await
    }

    async fn body(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.payload(Field::Body, id).await
    }

    async fn resume_token(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        self.shared.view()?.resume_token(id)
    }

    async fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error> {
        self.shared.view()?.find(dedupe)
    }
}

impl Embedded {
    /// The values of an event.
    async fn notify(&self, notice: &Notice) -> Result<Notify, Error> {
        let call = codec::encode_call(&notice.call, notice.dedupe());
        let call = self.shared.vault().seal(Field::Call, notice.id.to_bytes(), call);
        let body = self.stow(Field::Body, notice.id, notice.body.clone()).await?;
        let notice = notice.clone();
        Ok(Notify { notice, call, body })
    }

    /// What an execution needs, read before it is claimed: a job that cannot be read stays queued.
    async fn needs(&self, id: JobId) -> Result<Option<(Call, Bytes)>, Error> {
        let Some(call) = self.call(id).await? else {
            return Ok(None);
        };
        Ok(self.params(id).await?.map(|params| (call, params)))
    }
}

/// What was read of a job before its claim, and its header after it.
fn claim(read: Result<Option<(Call, Bytes)>, Error>, started: Option<Job>) -> Claim {
    match (read, started) {
        (Ok(Some((call, params))), Some(job)) => Claim::Claimed(Box::new(Claimed { job, call, params })),
        (Ok(_), _) => Claim::Passed,
        (Err(error), _) => Claim::Unreadable(error),
    }
}

#[async_trait]
impl Queues for Embedded {
    async fn queued_servers(&self) -> Result<Vec<Key>, Error> {
        self.shared.view()?.queued_servers()
    }

    async fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error> {
        self.shared.view()?.next_queued(server, after)
    }

    async fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error> {
        self.shared.view()?.queued(server, client, limit)
    }

    async fn claim_queued(&self, ids: &[JobId], stamp: Stamp) -> Result<Vec<Claim>, Error> {
        let mut needs = Vec::with_capacity(ids.len());
        for id in ids {
            match self.needs(*id).await {
                Err(error @ Error::Down(_)) => return Err(error),
                read => needs.push(read),
            }
        }
        let readable = ids
            .iter()
            .zip(&needs)
            .filter(|(_, read)| matches!(read, Ok(Some(_))));
        let readable: Vec<JobId> = readable.map(|(id, _)| *id).collect();
        let started = self.write(|reply| Op::Start(readable, stamp, reply)).await?;
        let mut started = started.into_iter();
        let claims = needs.into_iter().map(|read| {
            let job = if matches!(read, Ok(Some(_))) {
                started.next().flatten()
            } else {
                None
            };
            claim(read, job)
        });
        Ok(claims.collect())
    }

    async fn claim_due(&self, claim: ClaimDue) -> Result<Due, Error> {
        self.write(|reply| Op::ClaimDue(claim, reply)).await
    }

    async fn receivers(&self) -> Result<Vec<(Receiver, Rank, Millis)>, Error> {
        self.shared.view()?.receivers()
    }

    async fn due(
        &self,
        receiver: Receiver,
        rank: Rank,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<JobId>, Error> {
        self.shared.view()?.due(receiver, rank, now, limit)
    }

    async fn next_due(&self, receiver: Receiver, rank: Rank) -> Result<Option<Millis>, Error> {
        self.shared.view()?.next_due(receiver, rank)
    }

    async fn in_flight(&self) -> Result<Vec<Job>, Error> {
        self.read(View::in_flight).await
    }
}

#[async_trait]
impl People for Embedded {
    async fn scan(&self, scan: Scan) -> Result<Found, Error> {
        self.read(move |view| view.scan(&scan)).await
    }

    async fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error> {
        self.shared.view()?.history(id)
    }

    async fn remove(&self, id: JobId, stamp: Stamp) -> Result<Applied, Error> {
        self.write(|reply| Op::Remove(id, stamp, reply)).await
    }

    async fn client_use(&self, client: Key) -> Result<ClientUse, Error> {
        self.shared.view()?.client_use(client)
    }
}

#[async_trait]
impl Upkeep for Embedded {
    async fn sweep(&self, sweep: Sweep) -> Result<usize, Error> {
        self.write(|reply| Op::Sweep(sweep, reply)).await
    }

    async fn reclaim(&self, limit: usize) -> Result<usize, Error> {
        self.write(|reply| Op::Reclaim(limit, reply)).await
    }

    async fn oldest_queued(&self) -> Result<Option<Millis>, Error> {
        self.read(View::oldest_queued).await
    }

    async fn evict(&self, evict: Evict) -> Result<Option<Evicted>, Error> {
        self.write(|reply| Op::Evict(evict, reply)).await
    }

    async fn waiting(
        &self,
        after: Option<Waiting>,
        before: Millis,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        self.shared.view()?.waiting(after, before, limit)
    }

    fn space(&self) -> Space {
        self.shared.space()
    }

    fn counts(&self) -> Counts {
        self.shared.counts()
    }

    fn is_up(&self) -> bool {
        self.shared.is_up()
    }

    fn high_water(&self) -> Millis {
        self.shared.high_water()
    }

    fn keys(&self) -> Vec<KeyUse> {
        self.shared.keys()
    }
}

#[async_trait]
impl SessionRows for Embedded {
    async fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error> {
        self.shared.view()?.session(sid)
    }

    async fn swap_session(&self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error> {
        let value = codec::encode_session(&row);
        let value = self.shared.vault().seal(Field::Session, sid, value);
        let SessionRow { version, expires, .. } = row;
        let swap = Swap {
            sid,
            version,
            expires,
            value,
        };
        self.write(|reply| Op::Swap(swap, reply)).await
    }
}

#[async_trait]
impl Store for Embedded {
    async fn close(&self) -> Result<(), Error> {
        if self.writer().is_none() {
            return Ok(()); // closed already
        }
        self.write(Op::Close).await?;
        self.join(); // the thread is about to end
        Ok(())
    }
}
