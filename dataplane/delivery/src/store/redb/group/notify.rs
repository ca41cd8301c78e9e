//! Storing the event of a dead letter, in the commit that makes it one.
//!
//! Part of [`Group::apply`]. Invariant: whether there is space is decided before the step's first write; an event for which
//! there is none is dropped and counted, and the step is made nevertheless.

use ::redb::ReadableTable;

use super::{Fault, Group, put};
use crate::clock::Millis;
use crate::job::{Dedupe, Job, Notice, Rows};
use crate::store::notices::NoticeEnd;
use crate::store::redb::keys;
use crate::store::redb::op::Notify;
use crate::store::redb::read::damaged;
use crate::store::{ClientUse, Error, codec};

/// An event for which there is space, and what events use so far.
pub(super) struct Admitted {
    notify: Notify,
    used: ClientUse,
}

impl Group<'_> {
    /// Whether an event is stored: if it is new and there is space for it, after older ones that died gave up theirs.
    pub(super) fn admit(&mut self, notify: Option<Box<Notify>>) -> Result<Option<Admitted>, Fault> {
        let Some(notify) = notify else {
            return Ok(None);
        };
        if self.job.get(&notify.notice.id.to_bytes())?.is_some() {
            return Ok(None);
        }
        let size = notify.notice.body.len() as u64;
        if !self.space().holds_notices(size) {
            self.done.notices.add(NoticeEnd::Dropped);
            return Ok(None);
        }
        loop {
            let used = self.client_use(Notice::account())?;
            if self.space().holds_notices(used.bytes + size) {
                let notify = *notify;
                return Ok(Some(Admitted { notify, used }));
            }
            if !self.removes_a_dead_one()? {
                self.done.notices.add(NoticeEnd::Dropped);
                return Ok(None);
            }
        }
    }

    /// Deletes the oldest event that is dead or was stopped.
    fn removes_a_dead_one(&mut self) -> Result<bool, Fault> {
        let oldest = self.dead_of(Notice::account(), 1)?;
        let Some(row) = oldest.first() else {
            return Ok(false);
        };
        match self.remove(keys::id(row)) {
            Err(Fault::Row(error @ Error::Corrupt(_))) => {
                damaged(keys::id(row), &error.to_string());
                self.dead_of.remove(row)?;
            }
            removed => {
                removed?;
                self.done.notices.add(NoticeEnd::Replaced);
            }
        }
        Ok(true)
    }

    /// Stores the event as a job of its own.
    pub(super) fn notify(&mut self, admitted: Admitted, at: Millis) -> Result<(), Fault> {
        let Admitted { notify, used } = admitted;
        let Notify { notice, call, body } = notify;
        let (job, id) = (Job::notifying(&notice, at), notice.id.to_bytes());
        let (key, fingerprint) = (job.dedupe, job.dedupe);
        let dedupe = codec::encode_dedupe(notice.id, &Dedupe { key, fingerprint });
        self.dedupe.insert(&key, dedupe.as_slice())?;
        put(&mut self.target, &id, &call, &mut self.done)?;
        put(&mut self.result, &id, &body.value, &mut self.done)?;
        self.adopt(body);
        self.refile(notice.id, &Rows::default(), &job.rows())?;
        self.job.insert(&id, codec::encode_job(&job).as_slice())?;
        self.done.ledger.usage.add_job();
        self.done.notices.add(NoticeEnd::Stored);
        self.count(None, Some(&job), used)
    }
}
