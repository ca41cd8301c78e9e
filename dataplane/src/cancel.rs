//! `notifications/cancelled` from a client: it names a job, or a call that a server runs.
//!
//! [`crate::server`] hands it each one. Invariant: a job is cancelled only by the session that
//! began it, and what is over stays as it ended.

use asyncmcp_protocol::{Id, Notification};

use crate::accept;
use crate::server::Client;

/// Cancels the job of the request that `notification` names, or passes it on to every server.
pub(crate) async fn call(client: &Client, notification: &Notification) {
    if let Some(id) = notification.cancelled_request()
        && is_job(client, &id).await
    {
        return;
    }
    client.tell(notification);
}

/// Cancels the job of the request `id`, if there is one that has not ended.
async fn is_job(client: &Client, id: &Id) -> bool {
    let key = accept::of_request(client.session.sid, id);
    client.edge.engine.cancel_call(key).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a job could not be cancelled");
        false
    })
}
