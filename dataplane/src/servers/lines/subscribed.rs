//! The resources that callers want to hear of: those of a legacy caller's session, and those of one `subscriptions/listen`.
//!
//! Calls subscribe here. Invariant: what a legacy caller was told it subscribed to is in its row, so it is subscribed to again
//! in each session that opens; no session of one client's subscriptions is used for another's.

use std::sync::Arc;

use asyncmcp_delivery::store;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::subscriptions::Filter;
use asyncmcp_protocol::{Notification, RawObject};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::entry::Entry;
use super::listening::{self, Listening};
use super::own::discard;
use super::settings::{self, named};
use super::{Lines, changes::Changes};
use crate::caller::Caller;
use crate::servers::{Error, Reply};

/// Why a resource was not subscribed to, where its server has not said.
#[derive(Debug, thiserror::Error)]
pub enum Unsubscribed {
    /// The server failed.
    #[error(transparent)]
    Server(#[from] Error),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The session has as many as it may.
    #[error("this session has as many subscriptions as it may")]
    Full,
}

/// One server's part of a `subscriptions/listen`. Dropping it ends it, and the session that it had.
pub struct Part {
    /// The server.
    pub server: String,
    /// What of it the server notifies of, once it has said so.
    pub accepted: oneshot::Receiver<Filter>,
    _ends_it: DropGuard,
}

impl Lines {
    /// Subscribes a legacy caller to a resource on `server`, unless the server refuses.
    pub async fn subscribe(&self, caller: &Caller, server: &str, uri: &str) -> Result<Reply, Unsubscribed> {
        let line = self.of(caller, server)?;
        let entry = self.entry(caller);
        if !entry.row().await?.has_room_for(uri) {
            return Err(Unsubscribed::Full);
        }
        let session = line.session().await?;
        let reply = if session.is_modern() {
            if listening::is_offered(&session, uri).await? {
                Reply::Result(RawObject::new().to_raw())
            } else {
                Reply::Error(not_offered().to_raw())
            }
        } else {
            line.ask("resources/subscribe", Some(named(uri))).await?
        };
        if let Reply::Result(_) = &reply {
            if let Err(error) = entry.change(|row| row.subscribe(uri, server)).await {
                let _ = line.ask("resources/unsubscribe", Some(named(uri))).await; // it was not subscribed to before
                return Err(error.into());
            }
            self.follow(caller, &entry).await;
        }
        Ok(reply)
    }

    /// Ends a legacy caller's subscription. Its server is asked to, if it was subscribed to.
    pub async fn unsubscribe(&self, caller: &Caller, uri: &str) -> Result<(), store::Error> {
        let entry = self.entry(caller);
        let Some(server) = entry.row().await?.subscribed_on(uri) else {
            return Ok(());
        };
        entry.change(|row| row.unsubscribe(uri)).await?;
        self.follow(caller, &entry).await;
        let Ok(line) = self.of(caller, &server) else {
            return Ok(()); // the route has no such server any more
        };
        let Some(session) = line.sessions().current() else {
            return Ok(()); // nothing is open, and what opens later does not subscribe
        };
        let asked = settings::unsubscribe(&session, uri).await;
        if let Err(error) = asked {
            tracing::debug!(server, %error, "a server did not end a subscription");
        }
        Ok(())
    }

    /// Keeps what feeds the caller's stream in step with what it subscribed to.
    pub(super) async fn follow(&self, caller: &Caller, entry: &Arc<Entry>) {
        let Ok(row) = entry.row().await else {
            return; // nothing is known of any subscription
        };
        let subscribed = row.subscriptions();
        let lines: Vec<_> = subscribed
            .into_iter()
            .filter_map(|(server, uris)| Some((self.of(caller, &server).ok()?, uris)))
            .collect();
        entry.with_listener(|listener| listener.follow(lines));
    }

    /// A notification of each change of a list, until it is dropped.
    pub fn watch_lists(&self) -> Changes {
        self.0.watchers.add()
    }

    /// Listens to resources or tasks of `server` for a modern caller; what it says goes to `updates`, as `written`.
    pub fn listen(
        &self,
        caller: &Caller,
        (server, wanted): (&str, Filter),
        updates: &mpsc::Sender<Bytes>,
        written: impl Fn(Notification) -> Bytes + Send + Sync + 'static,
    ) -> Result<Part, Error> {
        let own = Arc::clone(&self.0.own);
        let line = own.take_for(server, caller)?;
        let listening = Listening {
            line: line.clone(),
            wanted,
            updates: updates.clone(),
            written: Arc::new(written),
            lost: None,
        };
        let (accepting, accepted) = oneshot::channel();
        let ended = CancellationToken::new();
        let ends_it = ended.clone().drop_guard();
        tokio::spawn(async move {
            ended.run_until_cancelled(listening.run(accepting)).await;
            discard(line);
        });
        Ok(Part {
            server: server.to_owned(),
            accepted,
            _ends_it: ends_it,
        })
    }
}

fn not_offered() -> ErrorObject {
    ErrorObject::new(
        Code::InvalidParams,
        "the server does not notify of changes of this resource".to_owned(),
    )
}
