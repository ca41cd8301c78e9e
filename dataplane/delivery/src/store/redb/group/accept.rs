//! Accepting a call, or finding the job that it was accepted as before.
//!
//! Part of [`Group`]. Invariant: all limits are checked before the first write.

use ::redb::ReadableTable;

use super::{Group, put};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Expect, Job, NewJob, Rows, Stamp, Step};
use crate::store::redb::fault::Fault;
use crate::store::redb::hooks::Kind;
use crate::store::redb::op::{Accept, Apply};
use crate::store::redb::usage;
use crate::store::{Acceptance, Error, codec};

impl Group<'_> {
    pub(in crate::store::redb) fn accept(&mut self, accept: Accept) -> Result<Acceptance, Fault> {
        let Accept { new, call, params } = accept;
        if let Some(known) = self.known(&new)? {
            return Ok(known);
        }
        if self.job(new.id)?.is_some() {
            Err(Error::Corrupt(format!("job {} exists already", new.id)))?;
        }
        let (job, id) = (Job::accepted(&new), new.id.to_bytes());
        let used = self.client_use(job.client)?;
        if let Some(limit) = used.refuses(&new, &self.space()) {
            return Ok(Acceptance::ClientFull(limit));
        }
        if self.done.ledger.queues.queued_for(job.server) >= new.max_queued {
            return Ok(Acceptance::ServerFull);
        }
        if !self.space().holds_job(usage::of_job(&[&call, &params.value])) {
            return Ok(Acceptance::Full);
        }
        let dedupe = codec::encode_dedupe(new.id, &new.dedupe);
        self.dedupe.insert(&new.dedupe.key, dedupe.as_slice())?;
        self.find_by(&job)?;
        put(&mut self.target, &id, &call, &mut self.done)?;
        put(&mut self.args, &id, &params.value, &mut self.done)?;
        self.adopt(params);
        self.refile(new.id, &Rows::default(), &job.rows())?;
        self.job.insert(&id, codec::encode_job(&job).as_slice())?;
        self.done.ledger.usage.add_job();
        self.note(Kind::Accept, new.at);
        self.count(None, Some(&job), used)
            .map(|()| Acceptance::New(new.id))
    }

    /// The answer for a call that was accepted before.
    fn known(&mut self, new: &NewJob) -> Result<Option<Acceptance>, Fault> {
        let row = self.dedupe.get(&new.dedupe.key)?;
        let Some((id, fingerprint)) = row.map(|row| codec::decode_dedupe(row.value())).transpose()? else {
            return Ok(None);
        };
        if fingerprint != new.dedupe.fingerprint {
            return Ok(Some(Acceptance::Conflict(id)));
        }
        self.name(id, &new.names, new.at)?;
        Ok(Some(Acceptance::Same(id)))
    }

    /// Files a job that has not ended under more names.
    fn name(&mut self, id: JobId, names: &[[u8; 32]], at: Millis) -> Result<(), Fault> {
        let (expect, by) = (Expect::Any, self.owner);
        let stamp = Stamp { by, at };
        let changes = names.iter().map(|name| Change::Name { name: *name }).collect();
        let step = Step {
            expect,
            stamp,
            changes,
        };
        let _ended = self.apply(Apply::bare(id, step))?;
        Ok(())
    }
}
