//! The job's state machine, as one table.
//!
//! A job has two axes: `exec`, what became of the tool call, and `push`, what became
//! of the delivery. [`State::after`] is the table; every store goes through it, and
//! a pair it does not list is a no-op. Invariant: an ended `exec` never changes again,
//! and `push` leaves `None` only when `exec` ends.

use std::fmt;

/// What became of the tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exec {
    /// Accepted, not yet sent to the server.
    Queued,
    /// Sent to the server, or about to be.
    Running,
    /// Over; the outcome is stored.
    Ended(End),
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The server answered with a result.
    Result,
    /// The server answered with a JSON-RPC error, or could not be asked.
    Error,
    /// The tool's `timeout` passed.
    Timeout,
    /// The call was interrupted, and it is unknown whether it ran.
    Unknown,
    /// The client cancelled it.
    Cancelled,
    /// The result was larger than the limit.
    TooLarge,
}

/// What became of the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Push {
    /// Nothing to deliver (yet, or ever: a job without a receiver is polled).
    None,
    /// Waits for its next attempt.
    Due,
    /// An attempt is in progress.
    Sending,
    /// A receiver answered 2xx.
    Delivered,
    /// Failed for good; kept as a dead letter.
    Dead(Category),
    /// An administrator stopped it.
    Stopped,
}

/// Why an attempt failed: all that a client is ever shown about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// The receiver refused the connection.
    ConnectionRefused,
    /// The connection broke.
    ConnectionReset,
    /// The name does not exist or has no address.
    DnsError,
    /// The attempt took longer than `webhook.timeout`.
    Timeout,
    /// The TLS handshake failed.
    TlsError,
    /// A redirect, which is never followed.
    Http3xx,
    /// A client error.
    Http4xx,
    /// A server error.
    Http5xx,
    /// The egress policy forbids the receiver.
    Blocked,
    /// Older than `webhook.maxAge`. Only a reason of a dead letter, not the outcome of an attempt.
    Expired,
    /// Damaged in the store. Only a reason of a dead letter, too.
    Corrupt,
    /// A dead letter, or a delivery that was stopped, whose body was deleted to make room in the store.
    Evicted,
    /// An informational status, as 101, in place of an answer.
    Http1xx,
    /// The receiver asked not to be sent this message again (`webhook-delivery: abort-message`).
    ReceiverAborted,
}

/// A fault of ours: the attempt says nothing about the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The resolver timed out, answered SERVFAIL or could not be reached.
    Resolver,
    /// No file descriptors were left.
    Descriptors,
    /// No HTTP client could be created, for example because there are no CA certificates.
    Client,
}

/// A job's state on both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The tool call's axis.
    pub exec: Exec,
    /// The delivery's axis.
    pub push: Push,
}

/// A job's state as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Waits for execution.
    Queued,
    /// Executes.
    Running,
    /// Waits for an attempt.
    Due,
    /// In an attempt.
    Sending,
    /// The receiver has it.
    Delivered,
    /// A dead letter.
    Dead,
    /// An administrator stopped its delivery.
    Stopped,
    /// Over, and there is no receiver.
    Ended,
}

impl Stage {
    /// Every stage, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Due,
        Self::Sending,
        Self::Delivered,
        Self::Dead,
        Self::Stopped,
        Self::Ended,
    ];

    /// Its name in the jobs API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Due => "due",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        }
    }
}

/// What can happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Execution begins.
    Start,
    /// The execution goes back to the queue: nothing was sent, or the tool may run again.
    Release,
    /// The execution continues; something about it is recorded.
    Annotate,
    /// The call is known by one more name.
    Name,
    /// The tool call ended; `deliver` says whether the job has a receiver.
    Finish {
        /// How it ended.
        end: End,
        /// Whether there is a receiver.
        deliver: bool,
    },
    /// An attempt begins.
    Claim,
    /// How the attempt went is recorded.
    Attempted,
    /// The attempt failed or was interrupted; another will follow.
    Retry,
    /// The receiver has it.
    Deliver,
    /// No attempt will follow.
    Bury(Category),
    /// The event of the dead letter is stored.
    Notify,
    /// An administrator stops the delivery.
    Stop,
    /// A dead letter, or a delivery that was stopped, loses its body.
    Evict,
    /// An administrator replays a dead or stopped delivery.
    Replay,
}

impl State {
    /// Where every job begins.
    pub const ACCEPTED: Self = Self {
        exec: Exec::Queued,
        push: Push::None,
    };

    /// The table: the state after `event`, or `None` where the event changes nothing.
    #[expect(
        clippy::match_same_arms,
        reason = "one row of the table a line, in the order things happen"
    )]
    pub fn after(self, event: Event) -> Option<Self> {
        use Exec::{Ended, Queued, Running};
        let exec = |exec| Some(Self { exec, ..self });
        let push = |push| Some(Self { push, ..self });
        match (self.exec, self.push, event) {
            (Queued, Push::None, Event::Start) => exec(Running),
            (Running, Push::None, Event::Release) => exec(Queued),
            (Running, Push::None, Event::Annotate) => exec(Running),
            (Queued | Running, Push::None, Event::Name) => Some(self),
            (Queued | Running, Push::None, Event::Finish { end, deliver }) => Some(Self {
                exec: Ended(end),
                push: if deliver { Push::Due } else { Push::None },
            }),
            (Ended(_), Push::Due, Event::Claim) => push(Push::Sending),
            // Also for an attempt that was too late to end anything: it happened nevertheless.
            (Ended(_), Push::Sending | Push::Due, Event::Attempted) => Some(self),
            (Ended(_), Push::Delivered | Push::Dead(_) | Push::Stopped, Event::Attempted) => Some(self),
            (Ended(_), Push::Sending, Event::Retry) => push(Push::Due),
            (Ended(_), Push::Sending, Event::Deliver) => push(Push::Delivered),
            // Only what nobody sends is evicted, and what is evicted has nothing left to send.
            (_, _, Event::Bury(Category::Evicted)) => None,
            (Ended(_), Push::Dead(Category::Evicted), Event::Evict | Event::Replay) => None,
            (Ended(_), Push::Sending | Push::Due, Event::Bury(why)) => push(Push::Dead(why)),
            (Ended(_), Push::Dead(_), Event::Notify) => Some(self),
            (Ended(_), Push::Dead(_) | Push::Stopped, Event::Evict) => push(Push::Dead(Category::Evicted)),
            (Ended(_), Push::Sending | Push::Due, Event::Stop) => push(Push::Stopped),
            (Ended(_), Push::Dead(_) | Push::Stopped, Event::Replay) => push(Push::Due),
            _ => None,
        }
    }

    /// Whether the job is finished: nothing more happens to it by itself.
    pub fn is_settled(self) -> bool {
        matches!(self.exec, Exec::Ended(_)) && !matches!(self.push, Push::Due | Push::Sending)
    }

    /// Whether a process has to be working on it: it runs, or an attempt is in progress.
    pub fn is_in_flight(self) -> bool {
        self.exec == Exec::Running || self.push == Push::Sending
    }

    /// The state as people name it.
    pub fn stage(self) -> Stage {
        match (self.exec, self.push) {
            (Exec::Queued, _) => Stage::Queued,
            (Exec::Running, _) => Stage::Running,
            (_, Push::None) => Stage::Ended,
            (_, Push::Due) => Stage::Due,
            (_, Push::Sending) => Stage::Sending,
            (_, Push::Delivered) => Stage::Delivered,
            (_, Push::Dead(_)) => Stage::Dead,
            (_, Push::Stopped) => Stage::Stopped,
        }
    }

    /// The label of `asyncmcp_jobs{state}`; `None` for a job that is over.
    pub fn label(self) -> Option<&'static str> {
        match (self.exec, self.push) {
            (Exec::Queued, _) => Some("queued"),
            (Exec::Running, _) => Some("running"),
            (_, Push::Due) => Some("due"),
            (_, Push::Sending) => Some("sending"),
            (_, Push::Dead(_)) => Some("dead"),
            _ => None,
        }
    }
}

impl End {
    /// Every way to end.
    pub const ALL: [Self; 6] = [
        Self::Result,
        Self::Error,
        Self::Timeout,
        Self::Unknown,
        Self::Cancelled,
        Self::TooLarge,
    ];

    /// Its name in logs, metrics and the jobs API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::TooLarge => "too_large",
        }
    }
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 14] = [
        Self::ConnectionRefused,
        Self::ConnectionReset,
        Self::DnsError,
        Self::Timeout,
        Self::TlsError,
        Self::Http3xx,
        Self::Http4xx,
        Self::Http5xx,
        Self::Blocked,
        Self::Expired,
        Self::Corrupt,
        Self::Evicted,
        Self::Http1xx,
        Self::ReceiverAborted,
    ];

    /// Its name in logs, metrics, the jobs API and responses to clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionReset => "connection_reset",
            Self::DnsError => "dns_error",
            Self::Timeout => "timeout",
            Self::TlsError => "tls_error",
            Self::Http3xx => "http_3xx",
            Self::Http4xx => "http_4xx",
            Self::Http5xx => "http_5xx",
            Self::Blocked => "blocked",
            Self::Expired => "expired",
            Self::Corrupt => "corrupt",
            Self::Evicted => "evicted",
            Self::Http1xx => "http_1xx",
            Self::ReceiverAborted => "receiver_aborted",
        }
    }
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 3] = [Self::Resolver, Self::Descriptors, Self::Client];

    /// Its name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolver => "resolver",
            Self::Descriptors => "descriptors",
            Self::Client => "client",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
