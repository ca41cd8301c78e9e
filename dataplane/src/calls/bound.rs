//! How much may be in progress that no connection holds: ordinary calls, which run on when their client leaves, and
//! messages for servers, which are passed on after their client got its 202.
//!
//! [`super::forward`] and [`super::Context`] take from it before they begin. Invariant: what is counted is released when
//! the work ends, however it ends; beyond a bound nothing waits, it is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cancel::Cancellable;

/// What may be in progress at once.
#[derive(Clone, Copy, Debug)]
struct Limits {
    per_account: Amount,
    in_all: Amount,
}

/// Some work, and the bytes of what clients sent for it. What else a task holds is a small multiple of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    count: usize,
    bytes: usize,
}

/// No agent waits for 256 calls at once, and a process that waits for 1,024 has its servers to blame. An account may not
/// take all the memory of the others.
const CALLS: Limits = Limits {
    per_account: Amount {
        count: 256,
        bytes: 32 << 20,
    },
    in_all: Amount {
        count: 1024,
        bytes: 64 << 20,
    },
};

/// A notification or an answer is passed on in milliseconds, unless its server hangs. Then it waits for up to 30 s.
const MESSAGES: Limits = Limits {
    per_account: Amount {
        count: 64,
        bytes: 16 << 20,
    },
    in_all: Amount {
        count: 512,
        bytes: 32 << 20,
    },
};

/// A client has one stream, or one for each thing that it shows. Each may take a session and a stream on servers.
const STREAMS: Limits = Limits {
    per_account: Amount {
        count: 16,
        bytes: 1 << 20,
    },
    in_all: Amount {
        count: 1024,
        bytes: 16 << 20,
    },
};

/// What is in progress in this process.
#[derive(Debug)]
pub struct InProgress {
    /// Ordinary calls.
    pub(crate) calls: Bound,
    /// Notifications and answers on their way to servers.
    pub(crate) messages: Bound,
    /// Streams of `subscriptions/listen`.
    pub(crate) streams: Bound,
    /// Ordinary calls that their client may cancel.
    pub(super) cancellable: Cancellable,
}

impl Default for InProgress {
    fn default() -> Self {
        Self {
            calls: Bound::new(CALLS),
            messages: Bound::new(MESSAGES),
            streams: Bound::new(STREAMS),
            cancellable: Cancellable::default(),
        }
    }
}

/// One kind of work. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Bound(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: Amount,
    /// Accounts with nothing in progress have no entry.
    accounts: HashMap<String, Amount>,
}

/// Work in progress. Dropping it says that the work has ended.
#[derive(Debug)]
pub(crate) struct Held {
    bound: Bound,
    account: String,
    amount: Amount,
}

impl Bound {
    fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            limits,
            taken: Mutex::default(),
        }))
    }

    /// Counts one more for `account`; `None` if that is too much. What alone is larger than the bound passes alone.
    pub(crate) fn take(&self, account: &str, bytes: usize) -> Option<Held> {
        let limits = self.0.limits;
        let bytes = bytes.min(limits.per_account.bytes);
        let amount = Amount { count: 1, bytes };
        let mut taken = self.taken();
        let mine = taken.accounts.get(account).copied().unwrap_or_default();
        let (mine, all) = (mine.plus(amount), taken.in_all.plus(amount));
        if !mine.is_within(limits.per_account) || !all.is_within(limits.in_all) {
            return None;
        }
        taken.in_all = all;
        taken.accounts.insert(account.to_owned(), mine);
        Some(Held {
            bound: self.clone(),
            account: account.to_owned(),
            amount,
        })
    }

    /// Counts other bytes for what is in progress already; `false` if that is too much, and nothing changes.
    fn resize(&self, account: &str, (old, new): (Amount, Amount)) -> bool {
        let limits = self.0.limits;
        let mut taken = self.taken();
        let mine = taken.accounts.get(account).copied().unwrap_or_default();
        let (mine, all) = (mine.minus(old).plus(new), taken.in_all.minus(old).plus(new));
        if !mine.is_within(limits.per_account) || !all.is_within(limits.in_all) {
            return false;
        }
        taken.in_all = all;
        taken.accounts.insert(account.to_owned(), mine);
        true
    }

    /// How many are in progress.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.taken().in_all.count
    }

    /// No holder panics half way; what it guards is whole.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Counts other bytes from now on; `false` if that is too much, and nothing changes.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let bytes = bytes.min(self.bound.0.limits.per_account.bytes);
        let new = Amount { bytes, ..self.amount };
        let fits = self.bound.resize(&self.account, (self.amount, new));
        if fits {
            self.amount = new;
        }
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.bound.taken();
        taken.in_all = taken.in_all.minus(self.amount);
        let left = taken.accounts.remove(&self.account).unwrap_or_default();
        let left = left.minus(self.amount);
        if left != Amount::default() {
            taken.accounts.insert(self.account.clone(), left);
        }
    }
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            bytes: self.bytes + other.bytes,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_sub(other.count),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    fn is_within(self, most: Self) -> bool {
        self.count <= most.count && self.bytes <= most.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bound {
        let amount = |count, bytes| Amount { count, bytes };
        Bound::new(Limits {
            per_account: amount(2, 100),
            in_all: amount(3, 150),
        })
    }

    #[test]
    fn an_account_and_all_of_them_have_a_number_each() {
        let bound = bound();
        let held: Vec<_> = ["a", "a", "b"]
            .map(|account| bound.take(account, 1).unwrap())
            .into();
        assert!(bound.take("a", 1).is_none() && bound.take("c", 1).is_none());
        drop(held);
        assert!(bound.take("a", 1).is_some());
        assert_eq!(
            (bound.count(), bound.taken().accounts.len()),
            (0, 0),
            "nothing is left behind"
        );
    }

    #[test]
    fn an_account_and_all_of_them_have_a_number_of_bytes_each() {
        let bound = bound();
        let large = bound.take("a", 100).unwrap();
        assert!(bound.take("a", 1).is_none() && bound.take("b", 51).is_none());
        let mut small = bound.take("b", 50).unwrap();
        assert!(!small.resize(51) && small.resize(40) && small.resize(50));
        drop((large, small));
        assert_eq!(bound.taken().in_all, Amount::default());
        assert!(
            bound.take("a", 1000).is_some(),
            "what is too large for any bound passes alone"
        );
    }
}
