//! What became of the events of dead letters in a commit.
//!
//! Both stores count it as they store events, and report it once the commit succeeded. Invariant: every event of a
//! committed step is counted as stored or as dropped, except for one that is there already.

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoticeEnd {
    /// It is a job of its own now.
    Stored,
    /// There was no space for it.
    Dropped,
    /// It died, and a newer one needed its space.
    Replaced,
}

impl NoticeEnd {
    pub(super) const ALL: [Self; 3] = [Self::Stored, Self::Dropped, Self::Replaced];

    /// The metric's label.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Dropped => "dropped",
            Self::Replaced => "replaced",
        }
    }
}

/// How many events came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NoticeCounts([u64; NoticeEnd::ALL.len()]);

impl NoticeCounts {
    pub(super) fn add(&mut self, end: NoticeEnd) {
        self.0[end as usize] += 1;
    }

    pub(super) fn of(&self, end: NoticeEnd) -> u64 {
        self.0[end as usize]
    }
}
