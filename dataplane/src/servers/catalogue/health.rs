//! A server's state, from the outcome of visits to it, without flapping.
//!
//! [`super::watch`] records every visit; status shows what is settled. Invariant: pure; a
//! settled state changes only after [`EQUAL`] equal visits in a row, the first of all aside.

use asyncmcp_crds::v1alpha1::ServerState;

/// Equal visits in a row that settle a new state.
const EQUAL: u32 = 3;

/// A server's health.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    settled: ServerState,
    latest: ServerState,
    run: u32,
    message: Option<String>,
}

impl Health {
    /// Records a visit; returns whether the settled state changed.
    pub(super) fn record(&mut self, state: ServerState, message: Option<String>) -> bool {
        self.run = if state == self.latest { self.run + 1 } else { 1 };
        self.latest = state;
        let settles = self.settled == ServerState::Unknown || self.run >= EQUAL;
        if settles || state == self.settled {
            self.message = message;
        }
        let changes = settles && self.settled != state;
        if changes {
            self.settled = state;
        }
        changes
    }

    /// The state to show.
    pub(super) fn state(&self) -> ServerState {
        self.settled
    }

    /// What is wrong, when the state to show is not `Ready`.
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Whether it is worth asking: not settled as away, or back again by the last visit.
    pub(super) fn may_answer(&self) -> bool {
        let away = |state| matches!(state, ServerState::Unreachable | ServerState::Rejected);
        !(away(self.settled) && away(self.latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ServerState::{Ready, Rejected, Unreachable};

    #[test]
    fn the_first_visit_settles_at_once_and_later_ones_by_three() {
        let mut health = Health::default();
        let mut shown = Vec::new();
        for state in [
            Unreachable,
            Ready,
            Ready,
            Unreachable,
            Ready,
            Ready,
            Ready,
            Rejected,
            Ready,
        ] {
            health.record(state, None);
            shown.push(health.state());
        }
        let mut expected = vec![Unreachable; 6];
        expected.extend([Ready; 3]);
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_message_is_that_of_the_state_shown() {
        let mut health = Health::default();
        health.record(Unreachable, Some("connection refused".to_owned()));
        health.record(Ready, None);
        assert_eq!(health.message(), Some("connection refused"));
        assert!(health.may_answer(), "it answered a moment ago");
        health.record(Unreachable, Some("timed out".to_owned()));
        assert_eq!(health.message(), Some("timed out"));
        assert!(!health.may_answer());
    }
}
