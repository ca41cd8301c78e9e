//! The size of the records, and which of their bodies are deleted early.
//!
//! Part of [`super::Memory`]. Invariant: the used space is the sum of all records' sizes.

use bytes::Bytes;

use super::{Record, State};
use crate::state::Push;
use crate::store::Space;
use crate::store::space::reserved;

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
        let mut reclaimed = 0;
        for id in self.index.settled() {
            let record = self.jobs.get_mut(&id).expect("the index is of the jobs");
            if reclaimed < limit && record.job.state.push == Push::Delivered {
                let body = record.body.take();
                self.taken -= len(body.as_ref());
                reclaimed += usize::from(body.is_some());
            }
        }
        reclaimed
    }

    pub(super) fn space(&self) -> Space {
        Space {
            used: self.taken + reserved(&self.counts),
            budget: self.budget,
            is_full: false,
        }
    }
}
