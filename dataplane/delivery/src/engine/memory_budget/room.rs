//! The memory for one execution's result.
//!
//! Whoever reads an answer asks for memory as it comes, and waits where there is none. Invariant: at least one reader can
//! always go on, and one that can go on holds memory for at most [`WHOLE`] without having read its message.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::SMALL;
use crate::engine::shares::{Portion, Shares};
use crate::job::Key;

/// Memory is taken in steps of this size.
const STEP: usize = 256 << 10;
/// How long a server may be silent in the middle of a message for which memory is held.
const SILENCE: Duration = Duration::from_secs(30);
/// How long such a message may take.
const WHOLE: Duration = Duration::from_mins(5);

/// The memory for one execution's result. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Taken>);

/// Without a budget there is no limit.
#[derive(Debug, Default)]
struct Taken {
    budget: Option<Budget>,
    held: Mutex<Memory>,
}

#[derive(Debug)]
struct Budget {
    server: Key,
    reading: Arc<Shares>,
    last_resort: Arc<Shares>,
}

#[derive(Debug, Default)]
struct Memory {
    part: Option<Portion>,
    /// Covers any result.
    whole: Option<Portion>,
    since: Option<Instant>,
}

/// A server stopped in the middle of a large message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled(pub Duration);

impl Room {
    /// Up to this size a result may be read without asking.
    pub const SMALL: usize = SMALL;

    pub(super) fn of(server: Key, reading: &Arc<Shares>, last_resort: &Arc<Shares>) -> Self {
        let budget = Budget {
            server,
            reading: Arc::clone(reading),
            last_resort: Arc::clone(last_resort),
        };
        Self(Arc::new(Taken {
            budget: Some(budget),
            held: Mutex::default(),
        }))
    }

    /// Holds memory for a message of `size` bytes, or of which so many were read; waits until there is some. Where that
    /// is little, what was held is released.
    pub async fn take(&self, size: usize) {
        let Some(budget) = &self.0.budget else { return };
        if size <= SMALL {
            return self.held(|held| *held = Memory::default());
        }
        if self.held(|held| held.covers(size) || held.grow(budget, size)) {
            return;
        }
        let whole = budget.last_resort.take(budget.server, 1).await;
        self.held(|held| {
            held.whole = Some(whole);
            held.since = Some(Instant::now()); // waiting was not the server's silence
        });
    }

    /// Reads on. Where memory is held, a server that stops in the middle of its message is not waited for.
    ///
    /// # Errors
    /// The server stopped.
    pub async fn read<T>(&self, more: impl Future<Output = T>) -> Result<T, Stalled> {
        let Some(since) = self.held(|held| held.since) else {
            return Ok(more.await);
        };
        let until = (since + WHOLE).min(Instant::now() + SILENCE);
        timeout_at(until, more).await.map_err(|_| Stalled(SILENCE))
    }

    fn held<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.0.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Memory {
    fn covers(&self, size: usize) -> bool {
        self.whole.is_some() || self.part.as_ref().is_some_and(|part| part.amount >= size)
    }

    fn grow(&mut self, budget: &Budget, size: usize) -> bool {
        self.since.get_or_insert_with(Instant::now);
        let size = size.next_multiple_of(STEP);
        if let Some(part) = &mut self.part {
            return part.grow(size);
        }
        self.part = budget.reading.try_take(budget.server, size);
        self.covers(size)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::super::{MemoryBudget, READING};
    use super::*;

    const HOSTILE: Key = Key([1; 8]);
    const OTHER: Key = Key([2; 8]);

    #[tokio::test]
    async fn memory_is_taken_as_a_result_comes_and_released_after_a_large_message() {
        let budget = MemoryBudget::default();
        let room = budget.room(OTHER);
        room.take(Room::SMALL).await;
        assert_eq!(budget.taken(), 0);
        room.take(Room::SMALL + 1).await;
        assert_eq!(budget.taken(), STEP);
        room.take(STEP + 1).await;
        assert_eq!(budget.taken(), 2 * STEP);
        room.take(0).await;
        assert_eq!(budget.taken(), 0);
        Room::default().take(usize::MAX).await;
    }

    #[tokio::test]
    async fn half_sent_answers_of_one_server_leave_memory_for_others() {
        let budget = MemoryBudget::default();
        let hostile: Vec<Room> = (0..16).map(|_| budget.room(HOSTILE)).collect();
        for room in &hostile[..12] {
            room.take(2 << 20).await;
        }
        hostile[12].take(2 << 20).await;
        assert_eq!(
            (budget.taken(), budget.last_resort.used()),
            (READING / 4 * 3, 1),
            "its share, and the last resort"
        );
        let room = budget.room(OTHER);
        room.take(READING / 4).await;
        drop(hostile);
        room.take(16 << 20).await;
        drop(room);
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_memory_is_not_the_servers_silence() {
        let budget = MemoryBudget::default();
        let (first, second) = (budget.room(OTHER), budget.room(HOSTILE));
        let full = budget.reading.take(Key([3; 8]), READING).await;
        let rest = budget.reading.take(Key([4; 8]), READING / 4).await;
        first.take(1 << 20).await;
        let waits = second.take(1 << 20);
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        tokio::time::advance(WHOLE * 2).await;
        drop(first);
        waits.await;
        assert_eq!(second.read(tokio::time::sleep(SILENCE / 2)).await, Ok(()));
        drop((full, rest));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_in_a_large_message_is_not_waited_for() {
        let budget = MemoryBudget::default();
        let room = budget.room(HOSTILE);
        assert_eq!(room.read(ready(1)).await, Ok(1));
        let patient = tokio::time::timeout(WHOLE * 2, room.read(pending::<()>())).await;
        assert!(patient.is_err(), "before a message, silence is a server at work");
        room.take(1 << 20).await;
        let begun = Instant::now();
        assert_eq!(room.read(pending::<()>()).await, Err(Stalled(SILENCE)));
        assert_eq!(begun.elapsed(), SILENCE);
        while room.read(tokio::time::sleep(SILENCE / 2)).await.is_ok() {}
        assert!(begun.elapsed() <= WHOLE, "nor one that sends a byte now and then");
    }
}
