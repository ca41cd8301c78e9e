//! What the response to an attempt, or its failure, means for the delivery.
//!
//! The sender asks it once per attempt. Invariant: errors are distinguished by their types along the chain of sources,
//! never by their texts; what is our own fault never uses up retries.

use std::error::Error as StdError;
use std::io;

use http::{HeaderMap, StatusCode};

use crate::egress::{Refusal, resolver};
use crate::state::{Category, Fault};

/// What follows from one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// The egress policy forbids the receiver: no further attempt.
    Refused(Refusal),
    /// The receiver will never take it: no further attempt.
    Terminal(Category),
    /// Try again while retries are left.
    Retry(Category),
    /// Try again; this one did not count.
    Requeue(Fault),
}

impl Verdict {
    /// The category of a failure that is the receiver's.
    pub fn category(self) -> Option<Category> {
        match self {
            Self::Refused(_) => Some(Category::Blocked),
            Self::Terminal(category) | Self::Retry(category) => Some(category),
            Self::Delivered | Self::Requeue(_) => None,
        }
    }
}

/// The verdict on an answer: that of its status, unless the receiver asks to be spared this message (`webhook-delivery:
/// abort-message` of Standard Webhooks). It cannot be spared what it has.
pub fn of_answer(status: StatusCode, directive: Option<Directive>) -> Verdict {
    match (of_status(status), directive) {
        (Verdict::Delivered, _) => Verdict::Delivered,
        (_, Some(Directive::AbortMessage)) => Verdict::Terminal(Category::ReceiverAborted),
        (verdict, _) => verdict,
    }
}

/// What a receiver asks for in the header `webhook-delivery` of its answer (Standard Webhooks).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// No further attempts of this message.
    AbortMessage,
    /// No further attempts of any message to this receiver for now.
    Disable,
}

impl Directive {
    /// Reads the header; what is not known is ignored.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get("webhook-delivery")?.to_str().ok()?;
        match header.trim().to_ascii_lowercase().as_str() {
            "abort-message" => Some(Self::AbortMessage),
            "disable" => Some(Self::Disable),
            _ => None,
        }
    }
}

/// The verdict table for statuses.
pub fn of_status(status: StatusCode) -> Verdict {
    match status.as_u16() {
        100..=199 => Verdict::Retry(Category::Http1xx),
        200..=299 => Verdict::Delivered,
        300..=399 => Verdict::Retry(Category::Http3xx),
        400 | 410 | 413 | 415 | 422 => Verdict::Terminal(Category::Http4xx),
        401..=499 => Verdict::Retry(Category::Http4xx),
        _ => Verdict::Retry(Category::Http5xx),
    }
}

/// The verdict on an exchange without a complete response.
pub fn of_failure(error: &reqwest::Error) -> Verdict {
    if let Some(verdict) = causes(error).find_map(known) {
        return verdict;
    }
    Verdict::Retry(if error.is_timeout() {
        Category::Timeout
    } else if error.is_connect() {
        Category::ConnectionRefused
    } else {
        Category::ConnectionReset
    })
}

/// `error` and everything under it. `io::Error::source` skips the error that it wraps, so that one is
/// asked for by name.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn known(error: &(dyn StdError + 'static)) -> Option<Verdict> {
    if let Some(error) = error.downcast_ref::<resolver::Error>() {
        return Some(of_resolution(error));
    }
    if error.is::<rustls::Error>() {
        return Some(Verdict::Retry(Category::TlsError));
    }
    of_io(error.downcast_ref::<io::Error>()?)
}

fn of_resolution(error: &resolver::Error) -> Verdict {
    match error {
        resolver::Error::Refused(refusal) => Verdict::Refused(*refusal),
        resolver::Error::Lookup(resolver::LookupError::NoAddress) => Verdict::Retry(Category::DnsError),
        resolver::Error::Lookup(resolver::LookupError::Unavailable(_) | resolver::LookupError::Failed(_)) => {
            Verdict::Requeue(Fault::Resolver)
        }
    }
}

/// EMFILE and ENFILE have no `ErrorKind`; their numbers are the same on every Unix we run on.
fn of_io(error: &io::Error) -> Option<Verdict> {
    use io::ErrorKind as Kind;
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        return Some(Verdict::Requeue(Fault::Descriptors));
    }
    let category = match error.kind() {
        Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable => {
            Category::ConnectionRefused
        }
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
            Category::ConnectionReset
        }
        Kind::TimedOut => Category::Timeout,
        _ => return None,
    };
    Some(Verdict::Retry(category))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out, not derived: what a receiver's status means is a promise to the people who run receivers.
    #[test]
    fn sorts_statuses() {
        use Verdict::{Delivered, Retry, Terminal};
        for (statuses, expected) in [
            (&[100, 101, 103, 199][..], Retry(Category::Http1xx)),
            (&[200, 201, 202, 204, 206, 226, 299], Delivered),
            (
                &[300, 301, 302, 303, 304, 307, 308, 399],
                Retry(Category::Http3xx),
            ),
            (&[400, 410, 413, 415, 422], Terminal(Category::Http4xx)),
            (
                &[
                    401, 402, 403, 404, 405, 408, 409, 411, 418, 421, 423, 425, 429, 451, 499,
                ],
                Retry(Category::Http4xx),
            ),
            (&[500, 501, 502, 503, 504, 520, 599], Retry(Category::Http5xx)),
        ] {
            for status in statuses {
                let verdict = of_status(StatusCode::from_u16(*status).unwrap());
                assert_eq!(verdict, expected, "{status}");
            }
        }
    }

    #[test]
    fn a_receiver_may_ask_to_be_spared_a_message_that_it_does_not_have() {
        let verdict = |status, header: &'static str| {
            let headers = [("webhook-delivery".parse().unwrap(), header.parse().unwrap())];
            let directive = Directive::of(&headers.into_iter().collect());
            (
                of_answer(StatusCode::from_u16(status).unwrap(), directive),
                directive,
            )
        };
        let (abort, disable) = (Some(Directive::AbortMessage), Some(Directive::Disable));
        let aborted = Verdict::Terminal(Category::ReceiverAborted);
        assert_eq!(verdict(503, "abort-message"), (aborted, abort));
        assert_eq!(verdict(410, " Abort-Message"), (aborted, abort));
        assert_eq!(verdict(200, "abort-message"), (Verdict::Delivered, abort));
        assert_eq!(verdict(200, "disable"), (Verdict::Delivered, disable));
        assert_eq!(
            verdict(503, "disable"),
            (Verdict::Retry(Category::Http5xx), disable)
        );
        assert_eq!(verdict(503, "later"), (Verdict::Retry(Category::Http5xx), None));
    }

    #[test]
    fn five_statuses_and_no_more_end_a_delivery_at_once() {
        let all = (100..=999).filter_map(|status| StatusCode::from_u16(status).ok());
        let verdicts: Vec<_> = all.map(of_status).collect();
        let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
        assert_eq!(count(|verdict| matches!(verdict, Verdict::Terminal(_))), 5);
        assert_eq!(count(|verdict| *verdict == Verdict::Delivered), 100);
    }

    /// What `known` makes of an error under two layers of `io::Error`, as TLS connectors nest them.
    fn nested(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Option<Verdict> {
        let wrapped = io::Error::other(io::Error::other(error));
        causes(&wrapped).find_map(known)
    }

    #[test]
    fn finds_the_cause_under_wrappers() {
        let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert_eq!(nested(expired), Some(Verdict::Retry(Category::TlsError)));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(nested(refused), Some(Verdict::Retry(Category::ConnectionRefused)));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(nested(reset), Some(Verdict::Retry(Category::ConnectionReset)));
        assert_eq!(nested("no type, no verdict"), None);
    }

    #[test]
    fn running_out_of_descriptors_is_our_fault() {
        for number in [23, 24] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(nested(error), Some(Verdict::Requeue(Fault::Descriptors)));
        }
    }

    #[test]
    fn a_dead_resolver_is_our_fault_and_a_missing_name_is_theirs() {
        let lookup = |error| nested(resolver::Error::Lookup(error));
        let ours = lookup(resolver::LookupError::Unavailable("timed out".to_owned()));
        assert_eq!(ours, Some(Verdict::Requeue(Fault::Resolver)));
        let theirs = lookup(resolver::LookupError::NoAddress);
        assert_eq!(theirs, Some(Verdict::Retry(Category::DnsError)));
    }
}
