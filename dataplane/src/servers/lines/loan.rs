//! A line for one exchange of a caller: in the session that the caller has on the server, or, where nothing ties one
//! request of the caller to the next, in one of the gateway's own.
//!
//! [`super::Lines::lend`] makes them. Invariant: a session of the gateway's own serves one exchange at a time, and only
//! those of one account; one on which an exchange did not end well is ended, not used again.

use std::ops::Deref;
use std::sync::Arc;

use super::line::Line;
use super::own::{OwnLines, discard};

/// A line that is lent.
pub struct Loan {
    line: Line,
    /// Whom it is returned to, and for which account; `None` where the session is the caller's.
    owner: Option<(Arc<OwnLines>, String)>,
}

impl Loan {
    pub(super) fn of_caller(line: Line) -> Self {
        Self { line, owner: None }
    }

    pub(super) fn of_gateway(line: Line, own: Arc<OwnLines>, account: String) -> Self {
        Self {
            line,
            owner: Some((own, account)),
        }
    }

    /// Whether the session is the gateway's own, so that ids and progress tokens in it must be the gateway's, too.
    pub fn is_own(&self) -> bool {
        self.owner.is_some()
    }

    /// The same for a caller that cannot be asked in this exchange.
    #[must_use]
    pub fn unasked(mut self) -> Self {
        self.line = self.line.clone().unasked();
        self
    }

    /// The exchange ended well.
    pub fn give_back(mut self) {
        if let Some((own, account)) = self.owner.take() {
            own.give_back(&self.line, &account);
        }
    }
}

impl Deref for Loan {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if self.owner.take().is_some() {
            discard(self.line.clone());
        }
    }
}
