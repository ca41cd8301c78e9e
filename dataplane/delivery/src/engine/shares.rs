//! Capacity that is shared fairly: no neighbour uses more than its share, and those that wait take turns.
//!
//! Memory is taken from [`Shares`]; executions and attempts, which wait as rows in the store, go by [`of`] and
//! [`percent`]. Invariant: what is in use cannot be taken back, so that a part of every capacity of two or more is left
//! for others, even while nobody else waits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::job::Key;

/// One neighbour's share: three quarters.
pub(super) fn of(capacity: usize) -> usize {
    percent(capacity, 75)
}

/// This share of a capacity, in percent. A capacity of 1 is first come, first served.
pub(super) fn percent(capacity: usize, percent: usize) -> usize {
    if percent >= 100 {
        return capacity;
    }
    let share = capacity.saturating_mul(percent) / 100;
    share.clamp(capacity.min(1), capacity.saturating_sub(1).max(1))
}

/// A capacity, in whatever unit.
#[derive(Debug)]
pub(super) struct Shares {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// What each neighbour uses.
    by: HashMap<Key, usize>,
    /// The neighbours that wait, the next one first, and what for.
    waiting: VecDeque<(Key, VecDeque<Waiter>)>,
}

#[derive(Debug)]
struct Waiter {
    amount: usize,
    granted: oneshot::Sender<Portion>,
}

/// A part of the capacity; dropping it releases it.
#[derive(Debug)]
pub(super) struct Portion {
    shares: Arc<Shares>,
    by: Key,
    pub(super) amount: usize,
}

impl Shares {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            state: Mutex::default(),
        })
    }

    /// A part for `by`, if it is free and nobody else's turn. One share is given to what asks for more.
    pub(super) fn try_take(self: &Arc<Self>, by: Key, amount: usize) -> Option<Portion> {
        let amount = amount.min(of(self.capacity));
        self.state().try_use(self.capacity, by, amount)?;
        Some(self.portion(by, amount))
    }

    /// The same, when its turn comes.
    pub(super) async fn take(self: &Arc<Self>, by: Key, amount: usize) -> Portion {
        if let Some(portion) = self.try_take(by, amount) {
            return portion;
        }
        let amount = amount.min(of(self.capacity));
        loop {
            let (granted, grant) = oneshot::channel();
            self.state().wait(by, Waiter { amount, granted });
            self.grant();
            if let Ok(portion) = grant.await {
                return portion;
            }
        }
    }

    /// What is in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.state().used
    }

    /// Grants what has become free. A waiter that is gone meanwhile drops its portion, which grants it to the next.
    fn grant(self: &Arc<Self>) {
        let granted = self.state().grants(self.capacity);
        for (by, Waiter { amount, granted }) in granted {
            let _gone = granted.send(self.portion(by, amount));
        }
    }

    fn portion(self: &Arc<Self>, by: Key, amount: usize) -> Portion {
        Portion {
            shares: Arc::clone(self),
            by,
            amount,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_within_share(&self, capacity: usize, by: Key, amount: usize) -> bool {
        self.by.get(&by).copied().unwrap_or_default() + amount <= of(capacity)
    }

    /// Uses an amount that is free, unless somebody waits for it.
    fn try_use(&mut self, capacity: usize, by: Key, amount: usize) -> Option<()> {
        let mut others = self.waiting.iter();
        let is_next = others.all(|(other, waiters)| {
            let first = waiters.front().map_or(0, |waiter| waiter.amount);
            !self.is_within_share(capacity, *other, first)
        });
        let fits = self.used + amount <= capacity && self.is_within_share(capacity, by, amount);
        (is_next && fits).then(|| self.add(by, amount))
    }

    fn add(&mut self, by: Key, amount: usize) {
        self.used += amount;
        *self.by.entry(by).or_default() += amount;
    }

    fn wait(&mut self, by: Key, waiter: Waiter) {
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == by) {
            Some((_, waiters)) => waiters.push_back(waiter),
            None => self.waiting.push_back((by, VecDeque::from([waiter]))),
        }
    }

    /// Goes round those that wait. One that waits for capacity keeps its turn; one that uses its share is passed over.
    fn grants(&mut self, capacity: usize) -> Vec<(Key, Waiter)> {
        let (mut granted, mut passed) = (Vec::new(), 0);
        while passed < self.waiting.len()
            && let Some((by, mut waiters)) = self.waiting.pop_front()
        {
            while waiters.front().is_some_and(|waiter| waiter.granted.is_closed()) {
                waiters.pop_front();
            }
            let Some(amount) = waiters.front().map(|waiter| waiter.amount) else {
                continue;
            };
            if !self.is_within_share(capacity, by, amount) {
                passed += 1;
                self.waiting.push_back((by, waiters));
            } else if self.used + amount > capacity {
                self.waiting.push_front((by, waiters));
                break;
            } else {
                passed = 0;
                self.add(by, amount);
                granted.extend(waiters.pop_front().map(|waiter| (by, waiter)));
                if !waiters.is_empty() {
                    self.waiting.push_back((by, waiters));
                }
            }
        }
        granted
    }

    fn remove(&mut self, by: Key, amount: usize) {
        self.used -= amount;
        match self.by.get_mut(&by) {
            Some(used) if *used > amount => *used -= amount,
            _ => drop(self.by.remove(&by)),
        }
    }
}

impl Portion {
    /// Makes it `amount` or more, if that is free and nobody else's turn; returns whether it is.
    pub(super) fn grow(&mut self, amount: usize) -> bool {
        let more = amount.saturating_sub(self.amount);
        let mut state = self.shares.state();
        let grown = state.try_use(self.shares.capacity, self.by, more).is_some();
        if grown {
            self.amount += more;
        }
        grown
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.shares.state().remove(self.by, self.amount);
        self.shares.grant();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const ONE: Key = Key([1; 8]);
    const TWO: Key = Key([2; 8]);
    const THREE: Key = Key([3; 8]);

    #[test]
    fn a_part_of_every_capacity_of_two_or_more_is_left_for_others() {
        assert_eq!([0, 1, 2, 3, 4, 16, 256].map(of), [0, 1, 1, 2, 3, 12, 192]);
        assert_eq!((percent(2, 99), percent(2, 100), percent(10, 1)), (1, 2, 1));
        let shares = Shares::new(100);
        let held = shares.try_take(ONE, 1000).unwrap();
        assert_eq!(held.amount, 75, "what asks for more gets a share");
        assert!(shares.try_take(ONE, 1).is_none());
        assert!(shares.try_take(TWO, 25).is_some());
    }

    #[tokio::test]
    async fn those_that_wait_take_turns_and_one_over_its_share_holds_up_nobody() {
        let shares = Shares::new(4);
        let held: Vec<Portion> = (0..3).filter_map(|_| shares.try_take(ONE, 1)).collect();
        let mut over = Box::pin(shares.take(ONE, 1));
        assert!((&mut over).now_or_never().is_none());
        let last = shares.try_take(TWO, 1).unwrap();
        let mut first = Box::pin(shares.take(TWO, 2));
        let mut second = Box::pin(shares.take(THREE, 1));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(last);
        assert!((&mut second).now_or_never().is_none(), "the first keeps its turn");
        drop(held);
        let granted = (over.await, first.await, second.await);
        assert_eq!(shares.used(), 4);
        drop(granted);
        assert_eq!(shares.used(), 0);
    }

    #[tokio::test]
    async fn a_waiter_that_is_gone_costs_nothing() {
        let shares = Shares::new(4);
        let held = shares.try_take(ONE, 3).unwrap();
        let gone = Box::pin(shares.take(TWO, 3)).now_or_never();
        assert!(gone.is_none());
        let next = Box::pin(shares.take(THREE, 2));
        drop(held);
        assert_eq!(next.await.amount, 2);
        assert_eq!(shares.used(), 0);
    }

    #[test]
    fn a_portion_grows_as_far_as_there_is_capacity() {
        let shares = Shares::new(100);
        let mut portion = shares.try_take(ONE, 10).unwrap();
        assert!(portion.grow(60) && !portion.grow(80));
        let other = shares.try_take(TWO, 30).unwrap();
        assert!(!portion.grow(75));
        drop((portion, other));
        assert_eq!(shares.used(), 0);
    }
}
