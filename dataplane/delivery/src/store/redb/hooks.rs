//! What the writer reports about a commit before and after it.
//!
//! Crash tests stop the process here, at the commit they name; nothing else uses it.
//! Invariant: only operations that changed something are counted.

use std::sync::Arc;

/// Called on the writer thread around a commit.
pub type Hook = Arc<dyn Fn(CommitInfo) + Send + Sync>;

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A job was accepted.
    Accept,
    /// An execution began.
    Start,
    /// A call ended; its first attempt may begin in the same commit.
    Finish,
    /// An attempt failed and another will follow.
    Retry,
    /// A delivery ended: delivered, dead or stopped.
    Settle,
    /// Old rows were removed.
    Sweep,
    /// Something else: a later attempt began, a job went back to the queue, a session was written.
    Other,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Accept,
        Self::Start,
        Self::Finish,
        Self::Retry,
        Self::Settle,
        Self::Sweep,
        Self::Other,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Start => "start",
            Self::Finish => "finish",
            Self::Retry => "retry",
            Self::Settle => "settle",
            Self::Sweep => "sweep",
            Self::Other => "other",
        }
    }
}

/// How many operations of which kind one commit makes durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitInfo {
    counts: [u32; Kind::ALL.len()],
}

impl CommitInfo {
    /// Operations of this kind.
    pub fn count(&self, kind: Kind) -> u32 {
        self.counts[kind as usize]
    }

    /// Operations of any kind.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// One more of this kind.
    pub(super) fn note(&mut self, kind: Kind) {
        self.counts[kind as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_count_of_its_own() {
        for kind in Kind::ALL {
            let mut info = CommitInfo::default();
            info.note(kind);
            assert_eq!(
                Kind::ALL.map(|other| info.count(other)),
                Kind::ALL.map(|other| u32::from(other == kind))
            );
            assert_eq!(info.total(), 1);
        }
    }
}
