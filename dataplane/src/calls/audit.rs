//! Who called which tool, and whether it was allowed: one log line a call, on routes with `auth`.
//!
//! Written by [`super::call`]. Invariant: the principal is a hash and the tool a name of the catalogue; no argument, no
//! result and nothing of the credentials is in it.

use crate::caller::Caller;

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
    let (decision, reason) = match decision {
        Decision::Relayed => ("relayed", ""),
        Decision::Accepted => ("accepted", ""),
        Decision::Refused(reason) => ("refused", reason),
    };
    let tool = tool.unwrap_or_default();
    tracing::info!(target: "asyncmcp::audit", %principal, tool, decision, reason, "a tool was called");
}
