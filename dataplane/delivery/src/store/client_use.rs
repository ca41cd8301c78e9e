//! What one client's jobs use: how many are unfinished, and the bytes of their payloads.
//!
//! Stores update it with every job, in the commit that changes the job; acceptance compares it with the client's limits.
//! Invariant: a function of the jobs' headers alone, and a client without jobs that use anything has none.

use super::codec::{Reader, Writer};
use super::{ClientLimit, Error, Space};
use crate::job::{Job, NewJob};

/// What a client's jobs use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientUse {
    /// Unfinished jobs.
    pub pending: u64,
    /// Bytes of arguments and bodies, of finished jobs too: the sum of [`Job::size`].
    pub bytes: u64,
}

impl ClientUse {
    /// Counts a job that went from `before` to `after`; `None` is before acceptance or after removal.
    pub(super) fn shift(&mut self, before: Option<&Job>, after: Option<&Job>) {
        let pending = |job: Option<&Job>| u64::from(job.is_some_and(Job::is_pending));
        let bytes = |job: Option<&Job>| job.map_or(0, |job| u64::from(job.size));
        self.pending = (self.pending + pending(after)).saturating_sub(pending(before));
        self.bytes = (self.bytes + bytes(after)).saturating_sub(bytes(before));
    }

    /// The limit that a new job would exceed.
    pub(super) fn refuses(self, new: &NewJob, space: &Space) -> Option<ClientLimit> {
        if self.pending >= new.max_pending {
            return Some(ClientLimit::Pending);
        }
        let share = space.client_share()?;
        let bytes = self.bytes + new.params.len() as u64;
        (bytes > share).then_some(ClientLimit::Bytes { share })
    }

    /// Whether there is nothing to store.
    pub(super) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut value = Writer::new();
        value.u64(self.pending);
        value.u64(self.bytes);
        value.done()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Error> {
        let mut value = Reader::open(value)?;
        let (pending, bytes) = (value.u64()?, value.u64()?);
        value.end()?;
        Ok(Self { pending, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::job::{Owner, Stamp};
    use crate::store::conformance::{finish, new_job};

    #[test]
    fn follows_a_job_through_its_life() {
        let mut used = ClientUse::default();
        let (by, at) = (Owner::default(), Millis(5));
        let queued = Job::accepted(&new_job(1));
        let ended = queued.after(&finish(), Stamp { by, at }).unwrap();
        used.shift(None, Some(&queued));
        let bytes = new_job(1).params.len() as u64;
        assert_eq!(used, ClientUse { pending: 1, bytes });
        used.shift(Some(&queued), Some(&ended));
        let bytes = u64::from(ended.size);
        assert_eq!(used, ClientUse { pending: 1, bytes });
        used.shift(Some(&ended), None);
        assert!(used.is_nothing());
    }

    #[test]
    fn reads_back() {
        let (pending, bytes) = (3, 1 << 40);
        let used = ClientUse { pending, bytes };
        assert_eq!(ClientUse::decode(&used.encode()).unwrap(), used);
    }
}
