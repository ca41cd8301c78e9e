//! What can be done to jobs, in the words of the pages.
//!
//! Invariant: a page offers an action only for a state in which the engine takes it; the engine decides.

use std::str::FromStr;

use axum::http::StatusCode;

use super::failure::Failure;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Replay,
    Stop,
    Cancel,
    Delete,
}

impl Action {
    pub(super) const ALL: [Self; 4] = [Self::Replay, Self::Stop, Self::Cancel, Self::Delete];

    /// Its name in paths.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Stop => "stop",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }

    /// What a button says.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Stop => "Stop",
            Self::Cancel => "Cancel",
            Self::Delete => "Delete",
        }
    }

    /// What it does to one job.
    pub(super) fn explanation(self) -> &'static str {
        match self {
            Self::Replay => {
                "The delivery becomes due again: same webhook-id, new signature, new retries. The tool does not run again."
            }
            Self::Stop => "No further attempt is made until the delivery is replayed.",
            Self::Cancel => "The call ends, and its receiver gets an error.",
            Self::Delete => {
                "The job and its result are deleted for good. The same call, sent once more, is a new call afterwards."
            }
        }
    }

    /// What a page says afterwards.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Replay => "The delivery is due again.",
            Self::Stop => "The delivery is stopped.",
            Self::Cancel => "The call is cancelled.",
            Self::Delete => "The job is deleted.",
        }
    }

    /// The states in which a job may be.
    pub(super) fn states(self) -> &'static [&'static str] {
        match self {
            Self::Replay => &["dead", "stopped"],
            Self::Stop => &["due", "sending"],
            Self::Cancel => &["queued", "running"],
            Self::Delete => &["delivered", "dead", "stopped", "ended"],
        }
    }

    /// What can be done to a job in this state.
    pub(super) fn possible(state: &str) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |action| action.states().contains(&state))
    }
}

impl FromStr for Action {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| {
            Failure::new(
                StatusCode::NOT_FOUND,
                "there is no such action: use replay, stop, cancel or delete",
            )
        })
    }
}
