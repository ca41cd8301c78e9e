//! What a client gets for a call of a webhook tool in place of the result.
//!
//! [`super`] asks for one once the call is committed. Invariant: a repeated call is answered from the job that is stored,
//! never from what the repetition asks for, and word for word the same while that job runs; and a client that waits for a response is promised none that will not come.

use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::engine::jobs::Listed;
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::Target;
use asyncmcp_delivery::state::{End, Exec};
use asyncmcp_protocol::Request;
use asyncmcp_protocol::tool_result::{self, AcceptedJob};

use crate::caller::Acknowledges;
use crate::caller::answer::Answer;
use crate::caller::respond::Error;

/// Of a call that was just accepted as job `id`.
pub(super) fn of_new(
    how: Acknowledges,
    (tool, target): (&str, &Target),
    request: &Request,
    id: JobId,
) -> Answer {
    if is_empty(how, target) {
        return Answer::Acknowledged(id.webhook_id());
    }
    tool_result(request, id, &in_background(tool, id, receiver(target)), "working")
}

/// Of a call that was accepted before, as `listed`.
pub(super) fn of_repeated(how: Acknowledges, request: &Request, listed: &Listed) -> Result<Answer, Error> {
    let (id, exec) = (listed.job.id, listed.job.state.exec);
    let call = listed.call.as_ref();
    let target = call.and_then(|call| call.target.as_ref());
    if target.is_some_and(|target| is_empty(how, target)) {
        return match call.map(|call| &call.request_id) {
            Some(first) if *first != request.id.to_string() => Err(Error::Repeated(first.clone())),
            _ => Ok(Answer::Acknowledged(id.webhook_id())),
        };
    }
    let message = match outcome(exec) {
        outcome if call.is_some() && target.is_none() => format!(
            "This call was accepted before as task {id}, which {}. Its result is not delivered by webhook: it is there for \
             tasks/get. Do not call the tool again for the same task.",
            outcome.map_or("runs in the background", |(outcome, _)| outcome)
        ),
        None => in_background(call.map_or("the tool", |call| &call.shown_as), id, to(target)),
        Some((outcome, _)) => format!(
            "This call was accepted before as job {id}, which {outcome}. Its result is delivered by webhook to {}, \
             not in this conversation. Do not call the tool again for the same task.",
            to(target)
        ),
    };
    let status = outcome(exec).map_or("working", |(_, status)| status);
    Ok(tool_result(request, id, &message, status))
}

fn in_background(tool: &str, id: JobId, receiver: &str) -> String {
    format!(
        "The call of {tool} was accepted as job {id} and runs in the background. Its result will be delivered by webhook \
         to {receiver}, not in this conversation. Do not call the tool again for the same task."
    )
}

/// asyncmcp's client, which named its receiver, waits for the response there. Any other client waits for ever after a
/// 202, and gets a result that a model can act on.
fn is_empty(how: Acknowledges, target: &Target) -> bool {
    how == Acknowledges::Empty202 && target.named_by == NamedBy::Session
}

fn to(target: Option<&Target>) -> &'static str {
    target.map_or("its receiver", receiver)
}

fn receiver(target: &Target) -> &'static str {
    match target.named_by {
        NamedBy::Call => "the receiver that the call named",
        NamedBy::Session => "the receiver that the client named",
        NamedBy::Default | NamedBy::Notify => "the receiver of this route",
    }
}

/// How a call ended, in words and as a task status (MCP 2025-11-25, "Tasks"); `None` while it has not.
fn outcome(exec: Exec) -> Option<(&'static str, &'static str)> {
    match exec {
        Exec::Queued | Exec::Running => None,
        Exec::Ended(End::Result) => Some(("has ended", "completed")),
        Exec::Ended(End::Cancelled) => Some(("was cancelled", "cancelled")),
        Exec::Ended(_) => Some(("has failed", "failed")),
    }
}

fn tool_result(request: &Request, id: JobId, message: &str, status: &str) -> Answer {
    let job = AcceptedJob {
        id: id.to_string(),
        webhook_id: Some(id.webhook_id()),
    };
    let result = tool_result::acknowledgement(message, &job, status);
    Answer::result(request.id.clone(), &result.to_raw())
}
