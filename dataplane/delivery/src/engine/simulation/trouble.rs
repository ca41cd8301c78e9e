//! The kinds of trouble that a world may have.
//!
//! `generate` draws some of them for each world. Invariant: every item of a plan but a call itself, an answer and
//! its delay belongs to one.

/// A kind of trouble that a world may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// Servers fail, hang, lose calls or cannot be reached.
    Servers,
    /// Servers give resume tokens.
    Tokens,
    /// Servers cannot be asked to resume a call at present.
    Absences,
    /// Receivers fail.
    Receivers,
    /// An exchange with a server or a receiver panics.
    Panics,
    /// The store refuses commits.
    Refusals,
    /// The store makes commits and reports that they failed.
    Doubts,
    /// The store takes long for a commit.
    Stalls,
    /// The store, a server or a receiver is down for a while.
    Weather,
    /// People hang up.
    HangUps,
    Cancels,
    /// Administrators stop and replay deliveries.
    Stops,
    /// Calls come again under their keys.
    Repeats,
    /// Administrators list and show jobs.
    Looks,
    /// The route is edited.
    Edits,
    /// The signing keys are gone for a while.
    Keys,
    /// Processes are killed.
    Deaths,
    /// Processes are asked to end.
    Drains,
    /// The wall clock jumps.
    Jumps,
    /// Arguments and results are large.
    LargeBodies,
    /// Servers stop in the middle of a large result.
    HalfAnswers,
    /// The store may use little space.
    Room,
}

impl Trouble {
    pub(super) const ALL: [Self; 22] = [
        Self::Servers,
        Self::Tokens,
        Self::Absences,
        Self::Receivers,
        Self::Panics,
        Self::Refusals,
        Self::Doubts,
        Self::Stalls,
        Self::Weather,
        Self::HangUps,
        Self::Cancels,
        Self::Stops,
        Self::Repeats,
        Self::Looks,
        Self::Edits,
        Self::Keys,
        Self::Deaths,
        Self::Drains,
        Self::Jumps,
        Self::LargeBodies,
        Self::HalfAnswers,
        Self::Room,
    ];
}
