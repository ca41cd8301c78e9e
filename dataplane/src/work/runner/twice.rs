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
        (
            Error::Busy { .. }
            | Error::Rejected {
                status: 408 | 425, ..
            },
            OnInterruption::Retry,
        ) => Next::Later { retry_after },
        (Error::Rejected { status: 400..500, .. }, OnInterruption::Retry) => Next::End(End::Error),
        (_, OnInterruption::Retry) if interruptions + 1 < DISPATCHES => Next::Again { interrupted: true },
        _ => Next::End(End::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::{self, Unusable};
    use crate::servers::{Advice, Missing};
    use OnInterruption::{Fail, Retry};
    use asyncmcp_crds::ObjectKey;

    const BUSY: Error = Error::Busy {
        retry_after: Duration::from_secs(7),
        not_dispatched: false,
    };

    fn opening(cause: Error) -> Error {
        Error::NotOpened(Box::new(cause))
    }

    /// The error that a row of the table is about.
    fn error(row: &str) -> Error {
        match row {
            "no connection" => Error::NoServer("a".to_owned()), // a refused connection cannot be made by hand
            "a credential or certificate of the route that cannot be read" => {
                let unusable = Unusable {
                    key: ObjectKey::certificate("s")[0].clone(),
                    error: keys::Error::Missing,
                };
                let field = "bearerTokenSecretRef".to_owned();
                Error::Credentials(Box::new(Missing { field, unusable }))
            }
            "no session with the server" => opening(BUSY),
            "unknown session" => Error::SessionLost,
            "a connection that broke" | "a stream that ended early" => Error::Interrupted,
            "something that is not MCP" => Error::Protocol("x"),
            "an answer over the limit" => Error::TooLarge { limit: 1 },
            status => {
                let listed = status.ends_with(", listed in `notDispatched`");
                let number = status.trim_start_matches("status ").split(',').next();
                answered(number.and_then(|number| number.parse().ok()).expect(row), listed)
            }
        }
    }

    fn answered(status: u16, not_dispatched: bool) -> Error {
        let retry_after = Duration::ZERO;
        match status {
            429 | 503 => Error::Busy {
                retry_after,
                not_dispatched,
            },
            status => rejected(status),
        }
    }

    fn rejected(status: u16) -> Error {
        let advice = Advice::default();
        Error::Rejected { status, advice }
    }

    fn words(next: Next) -> &'static str {
        match next {
            Next::NotSent { .. } => "sent again",
            Next::Later { .. } => "sent again later",
            Next::Again { interrupted: true } => "sent again, 3 times in all",
            Next::Again { interrupted: false } => "sent again at once",
            Next::End(End::Unknown) => "ends as `unknown`",
            Next::End(End::Error) => "ends as `error`",
            Next::End(End::TooLarge) => "ends as `too_large`",
            Next::End(_) => "ends otherwise",
        }
    }

    #[test]
    fn the_table_in_the_docs_is_what_happens() {
        let docs = include_str!("../../../../docs/explanation/at-most-once.md");
        let rows = docs.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
        let mut count = 0;
        for row in rows {
            let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
            let [what, fail, retry] = cells[..] else {
                panic!("{row}")
            };
            assert_eq!(words(next(&error(what), Fail, 0)), fail, "{what}, Fail");
            assert_eq!(words(next(&error(what), Retry, 0)), retry, "{what}, Retry");
            count += 1;
        }
        assert_eq!(count, 30);
    }

    #[test]
    fn no_other_status_lets_a_call_that_may_run_once_be_sent_again() {
        for status in (300..=599).filter(|status| !matches!(status, 401 | 405 | 406 | 415)) {
            let next = next(&answered(status, false), Fail, 0);
            assert_eq!(next, Next::End(End::Unknown), "{status}");
        }
    }

    #[test]
    fn what_fails_before_the_call_was_not_the_call() {
        let retry_after = Duration::from_secs(7);
        assert_eq!(next(&opening(BUSY), Fail, 0), Next::NotSent { retry_after });
        for error in [
            Error::Interrupted,
            Error::Silent(Duration::ZERO),
            Error::Protocol("x"),
            rejected(500),
        ] {
            assert_eq!(words(next(&opening(error), Fail, 0)), "sent again");
        }
    }

    #[test]
    fn what_may_have_run_once_is_never_taken_for_what_did_not() {
        let at_once = Next::Again { interrupted: false };
        assert_eq!(next(&Error::SessionLost, Retry, 1), at_once);
        assert_eq!(next(&opening(BUSY), Retry, 1), at_once);
        assert_eq!(next(&answered(502, false), Retry, 2), Next::End(End::Unknown));
    }
}
