//! The memory budget: how many bytes of bodies are in memory at once.
//!
//! Executions hold their arguments and the result they read, attempts the body they send. Arguments have a part of their
//! own: an execution that holds arguments may wait for a result's memory, but holders of a result never wait, so there
//! is no deadlock. Invariant: what waits for memory stays in the store or with its server.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Arguments of calls being executed, in bytes.
const ARGUMENTS: u32 = 32 << 20;
/// Results being read, and bodies being delivered, in bytes. Together 128 MiB.
const RESULTS: u32 = 96 << 20;
/// Arguments and results of an execution up to this size are not counted: there are at most `webhook.maxRunning`.
const SMALL: u32 = 64 << 10;

/// The budget of an engine.
pub(super) struct MemoryBudget {
    arguments: Arc<Semaphore>,
    results: Arc<Semaphore>,
}

/// Memory that is taken; dropping it releases it.
#[derive(Debug, Default)]
pub(super) struct Held {
    _room: Option<OwnedSemaphorePermit>,
}

impl Default for MemoryBudget {
    fn default() -> Self {
        let room = |bytes: u32| Arc::new(Semaphore::new(bytes as usize));
        Self {
            arguments: room(ARGUMENTS),
            results: room(RESULTS),
        }
    }
}

impl MemoryBudget {
    /// Memory for the arguments of one call, if there is enough.
    pub(super) fn arguments(&self, size: u32) -> Option<Held> {
        if size <= SMALL {
            return Some(Held::default());
        }
        let room = Arc::clone(&self.arguments).try_acquire_many_owned(size.min(ARGUMENTS));
        Some(Held {
            _room: Some(room.ok()?),
        })
    }

    /// Memory for a body that was read already, if there is enough.
    pub(super) fn body(&self, size: usize) -> Option<Held> {
        let room = Arc::clone(&self.results).try_acquire_many_owned(clamped(size));
        Some(Held {
            _room: Some(room.ok()?),
        })
    }

    /// Waits for the memory of a body that is about to be read from the store.
    pub(super) async fn stored_body(&self, size: u32) -> Held {
        let room = Arc::clone(&self.results).acquire_many_owned(size.min(RESULTS));
        Held {
            _room: room.await.ok(), // it is never closed
        }
    }

    /// For the result of one execution.
    pub(super) fn room(&self) -> Room {
        Room::of(Arc::clone(&self.results))
    }

    /// Bytes that are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        let free = self.arguments.available_permits() + self.results.available_permits();
        (ARGUMENTS + RESULTS) as usize - free
    }
}

/// The memory for one execution's result. Clones share it.
#[derive(Clone, Debug)]
pub struct Room(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    /// `None`: there is no limit.
    results: Option<Arc<Semaphore>>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Default for Room {
    /// Memory without a limit.
    fn default() -> Self {
        Self(Arc::new(Taken {
            results: None,
            held: Mutex::default(),
        }))
    }
}

impl Room {
    /// Memory of `results`, one byte per permit.
    pub fn of(results: Arc<Semaphore>) -> Self {
        Self(Arc::new(Taken {
            results: Some(results),
            held: Mutex::default(),
        }))
    }

    /// A result up to this size may be read without asking.
    pub const SMALL: usize = SMALL as usize;

    /// Waits until a result of `size` bytes may be read; `size` is an upper bound if it is not known yet. Calling it again
    /// does nothing: a holder never waits for more.
    pub async fn take(&self, size: usize) {
        let Some(results) = &self.0.results else { return };
        if size <= Self::SMALL || self.held(|held| held.is_some()) {
            return;
        }
        let taken = Arc::clone(results).acquire_many_owned(clamped(size)).await;
        self.held(|held| *held = taken.ok());
    }

    /// What a result of `size` bytes continues to hold; the rest is released.
    pub(super) fn keep(&self, size: usize) -> Option<Held> {
        let kept = self.held(Option::take)?.split(clamped(size) as usize);
        kept.map(|kept| Held { _room: Some(kept) })
    }

    fn held<T>(&self, change: impl FnOnce(&mut Option<OwnedSemaphorePermit>) -> T) -> T {
        change(&mut self.0.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn clamped(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX).min(RESULTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_arguments_take_nothing_and_large_ones_their_size() {
        let budget = MemoryBudget::default();
        let small = budget.arguments(SMALL);
        assert_eq!((small.is_some(), budget.taken()), (true, 0));
        let large = budget.arguments(ARGUMENTS - 5);
        assert_eq!(budget.taken(), (ARGUMENTS - 5) as usize);
        assert!(budget.arguments(SMALL + 1).is_none());
        drop(large);
        assert!(budget.arguments(u32::MAX).is_some(), "alone, anything has room");
    }

    #[tokio::test]
    async fn a_result_gives_back_what_it_did_not_need() {
        let budget = MemoryBudget::default();
        let room = budget.room();
        room.take(Room::SMALL).await;
        assert_eq!(budget.taken(), 0);
        room.take(16 << 20).await;
        room.take(16 << 20).await;
        assert_eq!(budget.taken(), 16 << 20, "asking twice takes once");
        let kept = room.keep(100_000).unwrap();
        assert_eq!(budget.taken(), 100_000);
        drop(kept);
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test]
    async fn a_result_waits_for_deliveries() {
        let budget = MemoryBudget::default();
        let sending = budget.stored_body(RESULTS - 10).await;
        assert!(budget.body(11).is_none());
        let room = budget.room();
        let taking = tokio::spawn({
            let room = room.clone();
            async move { room.take(1 << 20).await }
        });
        tokio::task::yield_now().await;
        assert!(!taking.is_finished());
        drop(sending);
        taking.await.unwrap();
        assert_eq!(budget.taken(), 1 << 20);
    }
}
