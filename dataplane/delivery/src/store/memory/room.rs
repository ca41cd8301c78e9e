//! The size of the records, and which of their bodies are deleted early.
//!
//! Part of [`super::Memory`]. Invariant: the used space is the sum of all records' sizes.

use bytes::Bytes;

use super::{Record, State};
use crate::id::JobId;
use crate::job::{Change, Step};
use crate::state::Push;
use crate::store::space::reserved;
use crate::store::{Evict, Evicted, Space};

/// The size of a job without its payloads.
const RECORD: u64 = 1 << 10;

impl Record {
    /// Its approximate size in bytes.
    pub(super) fn weight(&self) -> u64 {
        let payloads = [&self.params, &self.body, &self.token];
        RECORD + payloads.map(|payload| len(payload.as_ref())).iter().sum::<u64>()
    }
}

fn len(payload: Option<&Bytes>) -> u64 {
    payload.map_or(0, |payload| payload.len() as u64)
}

impl State {
    pub(super) fn reclaim(&mut self, limit: usize) -> usize {
        let with_a_result = self.index.settled().filter(|id| {
            let record = &self.jobs[id];
            record.job.state.push == Push::Delivered && record.body.is_some()
        });
        let ids: Vec<_> = with_a_result.take(limit).collect();
        for id in &ids {
            self.delete_body(*id);
        }
        ids.len()
    }

    /// Deletes a body; from then on the job's header says that it has none.
    fn delete_body(&mut self, id: JobId) {
        let record = self.jobs.get_mut(&id).expect("the index is of the jobs");
        let before = record.job.clone();
        self.taken -= len(record.body.take().as_ref());
        record.job.size = 0;
        let after = record.job.clone();
        self.file(Some(&before), Some(&after));
    }

    pub(super) fn evict(&mut self, evict: Evict) -> Option<Evicted> {
        let clients = self.index.clients_with_dead().into_iter();
        let client = clients.max_by_key(|client| (self.client_use(*client).bytes, *client))?;
        let mut evicted = Evicted::none_of(client);
        for id in self.index.dead_of(client, evict.limit) {
            if evicted.bytes >= evict.bytes {
                break;
            }
            evicted.add(self.jobs[&id].job.size);
            if self.jobs[&id].job.is_notice() {
                self.remove(id); // worth nothing without its body
                self.passed(evict.at);
                continue;
            }
            let step = Step::any(self.owner(), vec![Change::Evict], evict.at);
            let _evicted = self.apply(id, step);
        }
        Some(evicted)
    }

    pub(super) fn space(&self) -> Space {
        Space {
            used: self.taken + reserved(&self.counts),
            budget: self.budget,
            is_full: false,
        }
    }
}
