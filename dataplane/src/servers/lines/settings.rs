//! What a client sets for its whole session, as the sessions that it has on servers get it.
//!
//! [`super::Lines`] sets it where the client has a session at the time, [`super::entry`] in each one that opens later.
//! Invariant: a server that refuses it, or is silent, costs the client nothing but what it set.

use std::collections::BTreeSet;
use std::time::Duration;

use asyncmcp_protocol::log::Level;
use asyncmcp_protocol::{RawObject, Request};
use futures::StreamExt as _;

use crate::servers::exchange::{Reply, RequestOptions};
use crate::servers::{Error, ServerSession};

/// How long a server may take, even where ordinary calls may take longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The part of an ordinary call's time that it may take: a call may be what opened the session, and is still to be sent.
const PART: u32 = 4;

/// The requests that are sent in one session at the same time.
const AT_ONCE: usize = 8;

/// Sets in a session that was just opened what its client has set before.
pub(super) async fn restore(session: &ServerSession, level: Option<Level>, uris: BTreeSet<String>) {
    let setting = async {
        if let Some(level) = level {
            set_level(session, level).await;
        }
        let subscribing = futures::stream::iter(uris).for_each_concurrent(AT_ONCE, async |uri| {
            match subscribe(session, &uri).await {
                Ok(true) => {}
                taken => tracing::debug!(
                    server = session.server(),
                    ?taken,
                    "a server did not restore a subscription"
                ),
            }
        });
        subscribing.await;
    };
    let limit = patience(session);
    if tokio::time::timeout(limit, setting).await.is_err() {
        tracing::debug!(
            server = session.server(),
            "a server did not take in time what its client has set"
        );
    }
}

/// Subscribes to a resource in the session; whether the server did.
pub(super) async fn subscribe(session: &ServerSession, uri: &str) -> Result<bool, Error> {
    let reply = ask(session, "resources/subscribe", named(uri)).await?;
    Ok(matches!(reply, Reply::Result(_)))
}

/// Ends a subscription in the session.
pub(super) async fn unsubscribe(session: &ServerSession, uri: &str) -> Result<(), Error> {
    let reply = ask(session, "resources/unsubscribe", named(uri)).await?;
    reply.result().map(drop)
}

/// Asks the server for log messages of this level and above, if it sends any.
pub(super) async fn set_level(session: &ServerSession, level: Level) {
    if !session.may_log() {
        return;
    }
    let mut params = RawObject::new();
    params.set_value("level", level.name());
    let asked = ask(session, "logging/setLevel", params).await;
    if let Err(error) = asked.and_then(Reply::result) {
        tracing::debug!(server = session.server(), %error, "a server did not take a level of log messages");
    }
}

/// A request of the gateway's own in a session of the client's.
async fn ask(session: &ServerSession, method: &str, params: RawObject) -> Result<Reply, Error> {
    let limit = patience(session);
    let request = Request::new(session.upstream().own_id(), method, Some(params));
    let asking = session.call(&request, RequestOptions::default());
    let answer = tokio::time::timeout(limit, asking).await;
    answer.unwrap_or(Err(Error::Silent(limit)))
}

fn patience(session: &ServerSession) -> Duration {
    (session.upstream().timeout() / PART).min(PATIENCE)
}

/// The params that name one resource.
pub(super) fn named(uri: &str) -> RawObject {
    let mut params = RawObject::new();
    params.set_value("uri", uri);
    params
}
