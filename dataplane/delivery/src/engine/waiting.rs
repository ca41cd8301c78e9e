//! The words for what a job waits for.
//!
//! `receivers` and `explain` use them, the jobs API and `/status` show them. Invariant: each reason has a word of its own,
//! and none is ever renamed.

use std::collections::BTreeMap;

use crate::clock::Millis;

/// What a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The process is shutting down; the next one continues.
    ShuttingDown,
    /// The key that its values are encrypted with is missing from the key ring.
    StoreKey,
    /// No signing key of the route can be used.
    SigningKey,
    /// A header of the route's own receiver cannot be read.
    Header,
    /// The time of its next attempt or execution.
    Retry,
    /// Its receiver's circuit breaker.
    Breaker,
    /// Its receiver said when to come back, or that it wants nothing for now.
    Receiver,
    /// `webhook.perReceiver.ratePerSecond`.
    Rate,
    /// As many attempts are in progress as may be.
    InFlight,
    /// Its server, which cannot be reached.
    Server,
    /// Its server, which is not in the route any more.
    ServerGone,
    /// The store has no space for executions.
    StoreSpace,
    /// As many calls are running as may be: on its server, of its tool, of its client or in all.
    Running,
    /// Nothing but its turn.
    Turn,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::ShuttingDown,
        Self::StoreKey,
        Self::SigningKey,
        Self::Header,
        Self::Retry,
        Self::Breaker,
        Self::Receiver,
        Self::Rate,
        Self::InFlight,
        Self::Server,
        Self::ServerGone,
        Self::StoreSpace,
        Self::Running,
        Self::Turn,
    ];

    /// The reason as the jobs API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShuttingDown => "shutting_down",
            Self::StoreKey => "store_key",
            Self::SigningKey => "signing_key",
            Self::Header => "header",
            Self::Retry => "retry",
            Self::Breaker => "breaker",
            Self::Receiver => "receiver",
            Self::Rate => "rate",
            Self::InFlight => "in_flight",
            Self::Server => "server",
            Self::ServerGone => "server_gone",
            Self::StoreSpace => "store_space",
            Self::Running => "running",
            Self::Turn => "turn",
        }
    }
}

/// What a job waits for, and until when where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What for.
    pub reason: Reason,
    /// Until when at least, by the store's clock.
    pub until: Option<Millis>,
}

impl From<Reason> for Waiting {
    fn from(reason: Reason) -> Self {
        Self { reason, until: None }
    }
}

impl Reason {
    /// This reason, which is over at a known time.
    pub(super) fn until(self, until: Millis) -> Waiting {
        let until = Some(until);
        Waiting { reason: self, until }
    }
}

/// The reasons of receivers, counted.
pub(super) fn count(waits: impl Iterator<Item = Waiting>) -> BTreeMap<Reason, usize> {
    let mut counts = BTreeMap::new();
    for waiting in waits {
        *counts.entry(waiting.reason).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
