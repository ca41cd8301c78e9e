//! `notifications/cancelled` from a client: does it name a job?
//!
//! [`super::Context`] asks for each one, and passes on to the servers what names none. Invariant: a job is cancelled only
//! by a caller of the scope that began it, and what has ended stays as it is.

use asyncmcp_protocol::Notification;

use super::Context;
use super::accept::of_request;

/// Cancels the job of the request that `notification` names; `false` where there is none that has not ended.
pub(super) async fn job(context: &Context, notification: &Notification) -> bool {
    let (Some(scope), Some(id)) = (context.caller.scope, notification.cancelled_request()) else {
        return false;
    };
    let cancelling = context.calls.engine.cancel_call(of_request(scope, &id));
    cancelling.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "failed to cancel a job");
        false
    })
}
