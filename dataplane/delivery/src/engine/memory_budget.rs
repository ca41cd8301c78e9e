//! The memory budget: how many bytes of bodies are in memory at once.
//!
//! Executions hold their arguments until these are sent and the result they read, attempts the body they send, each from a part of its own, so
//! that none waits for another kind. In each part no client, server or origin uses more than its share. Small bodies are
//! not counted: there are only so many at once. Invariant: what waits for memory stays in the store or with its server,
//! and one reader always has the memory to finish, so there is no deadlock.

mod room;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

pub use self::room::{Room, Stalled};
use super::shares::{Portion, Shares};
use crate::job::{Key, Receiver};

/// Arguments of calls being executed, in bytes.
const ARGUMENTS: usize = 32 << 20;
/// Results being read; one more of any size (16 MiB by default) has memory of its own.
const READING: usize = 32 << 20;
/// Bodies being delivered. Together 128 MiB.
const DELIVERING: usize = 48 << 20;
/// Bodies up to this size are not counted.
const SMALL: usize = 64 << 10;

/// The budget of an engine.
pub(super) struct MemoryBudget {
    arguments: Arc<Shares>,
    /// Wakes whoever waits for memory for arguments.
    freed: Arc<Notify>,
    reading: Arc<Shares>,
    /// Who reads a result for which `reading` has no memory: one at a time, and servers take turns.
    last_resort: Arc<Shares>,
    delivering: Arc<Shares>,
}

/// Memory that is taken; dropping it releases it.
#[derive(Debug, Default)]
pub(super) struct Held {
    portion: Option<Portion>,
}

struct Arguments {
    bytes: Bytes,
    held: Held,
    freed: Arc<Notify>,
}

impl AsRef<[u8]> for Arguments {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Arguments {
    fn drop(&mut self) {
        drop(std::mem::take(&mut self.held));
        self.freed.notify_one();
    }
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self {
            arguments: Shares::new(ARGUMENTS),
            freed: Arc::default(),
            reading: Shares::new(READING),
            last_resort: Shares::new(1),
            delivering: Shares::new(DELIVERING),
        }
    }
}

impl MemoryBudget {
    /// Memory for the arguments of one call of a client, if there is enough.
    pub(super) fn arguments(&self, client: Key, size: u32) -> Option<Held> {
        taken(&self.arguments, client, size as usize)
    }

    /// Arguments that release their memory with the last copy of them, which may be long before their execution ends.
    pub(super) fn hold(&self, held: Held, arguments: Bytes) -> Bytes {
        if held.portion.is_none() {
            return arguments;
        }
        Bytes::from_owner(Arguments {
            bytes: arguments,
            held,
            freed: Arc::clone(&self.freed),
        })
    }

    /// Returns when memory for arguments may be free again.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Memory for a body to `receiver` that is in memory already, if there is enough.
    pub(super) fn body(&self, receiver: Receiver, size: usize) -> Option<Held> {
        taken(&self.delivering, receiver.origin, size)
    }

    /// Waits for the memory of a body to `receiver` that is about to be read from the store.
    pub(super) async fn stored_body(&self, receiver: Receiver, size: u32) -> Held {
        let size = size as usize;
        if size <= SMALL {
            return Held::default();
        }
        Held {
            portion: Some(self.delivering.take(receiver.origin, size).await),
        }
    }

    /// For the result of one execution on a server.
    pub(super) fn room(&self, server: Key) -> Room {
        Room::of(server, &self.reading, &self.last_resort)
    }

    /// Bytes that are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.arguments.used() + self.reading.used() + self.delivering.used()
    }
}

fn taken(shares: &Arc<Shares>, by: Key, size: usize) -> Option<Held> {
    if size <= SMALL {
        return Some(Held::default());
    }
    shares.try_take(by, size).map(|portion| Held {
        portion: Some(portion),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Key = Key([1; 8]);

    #[tokio::test]
    async fn small_bodies_take_nothing_and_large_ones_their_size() {
        let budget = MemoryBudget::default();
        let (one, other) = (Receiver::of("http://one/"), Receiver::of("http://other/"));
        let small = budget.arguments(ANN, 64 << 10);
        assert!(small.is_some() && budget.body(one, SMALL).is_some());
        assert_eq!(budget.taken(), 0);
        let large = budget.arguments(ANN, 1 << 20);
        assert_eq!(budget.taken(), 1 << 20);
        drop(large);
        assert!(
            budget.arguments(ANN, u32::MAX).is_some(),
            "alone, anything has room"
        );

        let held = budget.arguments(ANN, 1 << 20).unwrap();
        let sent = budget.hold(held, Bytes::from(vec![7; 1 << 20]));
        let copy = sent.slice(5..9);
        drop(sent);
        assert_eq!((budget.taken(), &copy[..]), (1 << 20, &[7; 4][..]));
        drop(copy);
        assert_eq!(budget.taken(), 0);
        budget.freed().await;

        let hanging: Vec<Held> = (0..6).filter_map(|_| budget.body(one, 16 << 20)).collect();
        assert_eq!(hanging.len(), 2, "a share of what is delivered");
        assert!(budget.body(other, 12 << 20).is_some());
        let _small = budget.stored_body(one, 64 << 10).await;
    }
}
