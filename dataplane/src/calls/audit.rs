//! Who called which tool or asked which server, and whether it was allowed: one log line a call, on routes with `auth`.
//!
//! Written by [`super::call`] and [`super::ask`]. Invariant: the principal is a hash and the tool a name of the catalogue; no
//! argument, no URI, no result and nothing of the credentials is in it.

use crate::caller::Caller;
use crate::caller::operation::method_label;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It goes to its server.
    Relayed,
    /// It is a job.
    Accepted,
    /// It was refused, for a reason out of a closed set.
    Refused(&'static str),
}

/// Logs it. `tool` is `None` where the caller named none that there is.
pub(super) fn log(caller: &Caller, tool: Option<&str>, decision: Decision) {
    let Some(principal) = caller.principal else { return };
    let (decision, reason) = decision.words();
    let tool = tool.unwrap_or_default();
    tracing::info!(target: "asyncmcp::audit", %principal, tool, decision, reason, "a tool was called");
}

/// The same for a prompt, a resource or a completion. `server` is the first that it goes to; `None` where it goes to none.
pub(super) fn asked(caller: &Caller, method: &str, server: Option<&str>, decision: Decision) {
    let Some(principal) = caller.principal else { return };
    let (decision, reason) = decision.words();
    let (method, server) = (method_label(method), server.unwrap_or_default());
    tracing::info!(target: "asyncmcp::audit", %principal, method, server, decision, reason, "a server was asked");
}

impl Decision {
    /// What it is, and why.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Relayed => ("relayed", ""),
            Self::Accepted => ("accepted", ""),
            Self::Refused(reason) => ("refused", reason),
        }
    }
}
