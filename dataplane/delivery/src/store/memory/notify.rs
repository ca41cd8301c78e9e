//! Storing the events of dead letters in memory.
//!
//! Part of [`super::Memory`]. Invariant: an event is stored in the step that it comes with, or dropped and counted.

use std::collections::VecDeque;

use super::{Record, State};
use crate::clock::Millis;
use crate::job::{Job, Notice};
use crate::store::notices::NoticeEnd;

impl State {
    /// Stores an event as a job of its own, if there is space for it.
    pub(super) fn notify(&mut self, notice: Notice, at: Millis) {
        if self.jobs.contains_key(&notice.id) {
            return;
        }
        if !self.makes_room_for(&notice) {
            return self.notices.add(NoticeEnd::Dropped);
        }
        let job = Job::notifying(&notice, at);
        self.dedupe.insert(job.dedupe, job.id);
        self.file(None, Some(&job));
        let record = Record {
            fingerprint: job.dedupe,
            job,
            call: notice.call,
            params: None,
            body: Some(notice.body),
            token: None,
            history: VecDeque::new(),
        };
        self.taken += record.weight();
        self.jobs.insert(notice.id, record);
        self.notices.add(NoticeEnd::Stored);
    }

    /// Whether there is space for an event, after older ones that died gave up theirs.
    fn makes_room_for(&mut self, notice: &Notice) -> bool {
        let (account, size) = (Notice::account(), notice.body.len() as u64);
        if !self.space().holds_notices(size) {
            return false;
        }
        while !self.space().holds_notices(self.client_use(account).bytes + size) {
            let Some(oldest) = self.index.dead_of(account, 1).first().copied() else {
                return false;
            };
            self.remove(oldest);
            self.notices.add(NoticeEnd::Replaced);
        }
        true
    }
}
