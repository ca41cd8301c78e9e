//! What may be sent twice: what follows a dispatch that got no reply.
//!
//! Called by [`super::Runner`]. One table of error and `onInterruption` decides. Invariant: a call
//! whose `onInterruption` is `Fail` is dispatched again only where it certainly was not dispatched before, and
//! a call is reported as not run only where that is certain.

use std::time::Duration;

use asyncmcp_delivery::job::OnInterruption;
use asyncmcp_delivery::state::End;

use crate::servers::Error;

/// Times that one execution may be dispatched when it may run again. A call interrupted three times is
/// assumed to be the cause.
const DISPATCHES: u32 = 3;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It was certainly not dispatched: the engine asks again.
    NotSent { retry_after: Duration },
    /// It may have been dispatched, and may be again, after a while.
    Later { retry_after: Duration },
    /// It ends.
    End(End),
    /// It is dispatched again at once; `interrupted` says whether it counts as an interruption.
    Again { interrupted: bool },
}

/// `interruptions` counts the dispatches before this one that may have run.
pub(super) fn next(error: &Error, on_interruption: OnInterruption, interruptions: u32) -> Next {
    let retry_after = error.retry_after();
    match (error, on_interruption) {
        // It went out before: the engine must not take it for one that never did.
        _ if error.not_dispatched() && interruptions > 0 => Next::Again { interrupted: false },
        _ if error.not_dispatched() => Next::NotSent { retry_after },
        (Error::TooLarge { .. }, _) => Next::End(End::TooLarge),
        (Error::Busy { .. } | Error::Rejected { status: 408 | 425 }, OnInterruption::Retry) => {
            Next::Later { retry_after }
        }
        (Error::Rejected { status: 400..500 }, OnInterruption::Retry) => Next::End(End::Error),
        (_, OnInterruption::Retry) if interruptions + 1 < DISPATCHES => Next::Again { interrupted: true },
        _ => Next::End(End::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OnInterruption::{Fail, Retry};

    const BUSY: Error = Error::Busy {
        retry_after: Duration::from_secs(7),
    };
    const UNKNOWN: Next = Next::End(End::Unknown);
    const NOT_SENT: Next = Next::NotSent {
        retry_after: Duration::ZERO,
    };

    fn status(status: u16) -> Error {
        Error::Rejected { status }
    }

    fn opening(cause: Error) -> Error {
        Error::NotOpened(Box::new(cause))
    }

    #[test]
    fn a_status_proves_that_nothing_was_dispatched_only_where_it_can_come_from_nobody_else() {
        for certain in [401, 405, 406, 415] {
            assert_eq!(next(&status(certain), Fail, 0), NOT_SENT, "{certain}");
            assert_eq!(next(&status(certain), Retry, 0), NOT_SENT, "{certain}");
        }
        for perhaps in [
            300, 307, 400, 403, 404, 408, 409, 413, 421, 422, 425, 499, 500, 502, 504, 599,
        ] {
            assert_eq!(next(&status(perhaps), Fail, 0), UNKNOWN, "{perhaps}");
        }
        assert_eq!(next(&BUSY, Fail, 0), UNKNOWN, "429 and 503");
        assert_eq!(next(&Error::SessionLost, Fail, 0), NOT_SENT);
    }

    #[test]
    fn what_fails_before_the_call_was_not_the_call() {
        let retry_after = Duration::from_secs(7);
        assert_eq!(next(&opening(BUSY), Fail, 0), Next::NotSent { retry_after });
        for error in [
            Error::Interrupted,
            Error::Silent(Duration::ZERO),
            Error::Protocol("x"),
            Error::Rejected { status: 500 },
        ] {
            assert_eq!(next(&opening(error), Fail, 0), NOT_SENT);
        }
    }

    #[test]
    fn a_call_that_may_run_again_waits_ends_or_is_sent_again() {
        let retry_after = Duration::from_secs(7);
        assert_eq!(next(&BUSY, Retry, 0), Next::Later { retry_after });
        assert_eq!(next(&status(422), Retry, 0), Next::End(End::Error));
        assert_eq!(next(&status(502), Retry, 0), Next::Again { interrupted: true });
        assert_eq!(next(&status(502), Retry, 2), UNKNOWN);
    }

    #[test]
    fn what_may_have_run_once_is_never_taken_for_what_did_not() {
        assert_eq!(
            next(&Error::SessionLost, Retry, 1),
            Next::Again { interrupted: false }
        );
        assert_eq!(next(&opening(BUSY), Retry, 1), Next::Again { interrupted: false });
    }
}
