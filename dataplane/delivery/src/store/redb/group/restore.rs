//! Putting a job or a session of an export into a store.
//!
//! Part of [`Group`]; the import calls it. Invariant: what is restored has everything that its header says.

use super::{Group, put};
use crate::clock::Millis;
use crate::job::{Job, Rows};
use crate::state::{Category, Exec, Push};
use crate::store::codec::wrap::GIVEN_BACK;
use crate::store::redb::fault::Fault;
use crate::store::redb::vault::{Stowed, Vault};
use crate::store::redb::{history, keys};
use crate::store::seal::Field;
use crate::store::{Error, codec};

/// A job and all its rows.
pub(in crate::store::redb) struct Restored {
    job: Job,
    dedupe: Vec<u8>,
    call: Vec<u8>,
    payload: Stowed,
    token: Option<Vec<u8>>,
    attempts: Vec<(u32, Vec<u8>)>,
}

impl Restored {
    /// `values` are params, body and resume token. Writes a file where the payload is large.
    pub(in crate::store::redb) fn new(
        mut job: Job,
        (dedupe, call): (Vec<u8>, Vec<u8>),
        values: [Option<Vec<u8>>; 3],
        attempts: Vec<(u32, Vec<u8>)>,
        vault: &Vault,
    ) -> Result<Self, Error> {
        let [params, body, token] = values;
        let ended = matches!(job.state.exec, Exec::Ended(_));
        let (field, what, value) = if ended {
            let gone = may_lack_its_body(job.state.push);
            let body = body.or_else(|| gone.then(|| GIVEN_BACK.to_vec()));
            (Field::Body, "result", body)
        } else {
            (Field::Params, "arguments", params)
        };
        let value = value.ok_or_else(|| Error::Corrupt(format!("it lacks its {what}")))?;
        let payload = vault
            .put_back(field, job.id, value)
            .map_err(|error| Error::Down(format!("failed to write a large body: {error}")))?;
        // Without its token an interrupted execution is not resumed: its `onInterruption` applies.
        job.has_resume_token &= token.is_some();
        if payload.value == GIVEN_BACK {
            job.size = 0;
        }
        Ok(Self {
            dedupe,
            call,
            payload,
            token: token.filter(|_| job.has_resume_token),
            attempts,
            job,
        })
    }
}

/// Whether a body may have been deleted early.
pub(in crate::store::redb) fn may_lack_its_body(push: Push) -> bool {
    matches!(push, Push::Delivered | Push::Dead(Category::Evicted))
}

impl Group<'_> {
    pub(in crate::store::redb) fn restore(&mut self, restored: Restored) -> Result<(), Fault> {
        let Restored { job, payload, .. } = restored;
        let id = job.id.to_bytes();
        if self.job(job.id)?.is_some() {
            Err(Error::Corrupt(format!("duplicate job {}", job.id)))?;
        }
        // The process that opens this store is not the one that held the job.
        let epoch = job.owner.map_or(0, |owner| owner.epoch);
        self.done.ledger.epoch = self.done.ledger.epoch.max(epoch);
        let used = self.client_use(job.client)?;
        self.dedupe.insert(&job.dedupe, restored.dedupe.as_slice())?;
        self.find_by(&job)?;
        put(&mut self.target, &id, &restored.call, &mut self.done)?;
        if matches!(job.state.exec, Exec::Ended(_)) {
            put(&mut self.result, &id, &payload.value, &mut self.done)?;
        } else {
            put(&mut self.args, &id, &payload.value, &mut self.done)?;
        }
        self.adopt(payload);
        if let Some(token) = restored.token {
            self.hold(job.id, Some(token), &job)?;
        }
        for (number, value) in &restored.attempts {
            let usage = &mut self.done.ledger.usage;
            history::put_back(&mut self.attempts, (job.id, *number), value, usage)?;
        }
        self.refile(job.id, &Rows::default(), &job.rows())?;
        self.job.insert(&id, codec::encode_job(&job).as_slice())?;
        self.done.ledger.usage.add_job();
        self.count(None, Some(&job), used)
    }

    pub(in crate::store::redb) fn restore_session(
        &mut self,
        (sid, expires, value): ([u8; 16], Millis, Vec<u8>),
    ) -> Result<(), Fault> {
        self.session_expire.insert(&keys::expiry(expires, sid), ())?;
        self.done.ledger.usage.add_session(&value);
        put(&mut self.session, &sid, &value, &mut self.done)
    }
}
