//! How many requests an account may make in a second (`webhook.perClient.requestsPerSecond`).
//!
//! [`super::Context`] and the edge take one for each. Invariant: an account that waits as long as it is told to gets its
//! request through; accounts that are idle take no memory; the time is an argument.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// From this many accounts on, those that are idle are forgotten.
const MANY: usize = 1024;

/// The requests of all accounts.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Accounts>);

#[derive(Debug)]
struct Accounts {
    /// When each account's requests so far are paid for, at its rate.
    paid: HashMap<String, Instant>,
    /// Where the next look for idle ones is due.
    look_at: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            paid: HashMap::new(),
            look_at: MANY,
        }
    }
}

impl Rates {
    /// Counts a request of `account` at `now`; or how long to wait, where it has made `per_second` already.
    pub(crate) fn take(&self, account: &str, per_second: Option<u32>, now: Instant) -> Result<(), Duration> {
        let Some(per_second) = per_second else {
            return Ok(());
        };
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = Duration::from_secs(1) / per_second;
        // A second's worth may come at once.
        let latest = now + Duration::from_secs(1);
        let paid = accounts.paid.get(account).map_or(now, |paid| now.max(*paid)) + cost;
        if paid > latest {
            return Err(paid - latest);
        }
        accounts.forget_idle(now);
        accounts.paid.insert(account.to_owned(), paid);
        Ok(())
    }
}

impl Accounts {
    fn forget_idle(&mut self, now: Instant) {
        if self.paid.len() >= self.look_at {
            self.paid.retain(|_, paid| *paid > now);
            self.look_at = MANY.max(2 * self.paid.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_comes_at_once_and_then_each_waits_its_time() {
        let (rates, now) = (Rates::default(), Instant::now());
        let take = |account, after| rates.take(account, Some(4), now + Duration::from_millis(after));
        for _ in 0..4 {
            assert_eq!(take("a", 0), Ok(()));
        }
        assert_eq!(take("a", 0), Err(Duration::from_millis(250)));
        assert_eq!(take("b", 0), Ok(()), "another account has its own");
        assert_eq!(take("a", 249), Err(Duration::from_millis(1)));
        assert_eq!(take("a", 250), Ok(()));
        assert_eq!(
            take("a", 250),
            Err(Duration::from_millis(250)),
            "refusals cost nothing"
        );
        for _ in 0..4 {
            assert_eq!(take("a", 10_000), Ok(()), "idle time is not saved up");
        }
        assert!(take("a", 10_000).is_err());
        assert_eq!(rates.take("a", None, now), Ok(()));
    }

    #[test]
    fn idle_accounts_are_forgotten() {
        let (rates, now) = (Rates::default(), Instant::now());
        for number in 0..5000_u32 {
            let at = now + Duration::from_millis(10) * number;
            rates.take(&number.to_string(), Some(2), at).unwrap();
        }
        assert!(rates.0.lock().unwrap().paid.len() <= MANY);
    }
}
