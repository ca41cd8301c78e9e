//! A client's standalone stream: what its servers' standalone streams bring, as they open.
//!
//! Called by [`super::Lines`]. A server that offers no such stream is not asked again.
//! Invariant: a message reaches one stream only, a list's change is notified once however many servers and sessions say
//! so, and a stream that nobody reads any more ends every task that fed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use asyncmcp_protocol::subscriptions::{self, Filter, List};
use asyncmcp_protocol::{Message, Notification};
use bytes::Bytes;
use futures::Stream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::audience::Audience;
use super::changes::Changes;
use super::line::Line;
use super::listening::Listening;
use crate::servers::{Error, Events, ServerSession};

/// Messages that wait for a slow client before its servers' streams wait.
const WAITING: usize = 64;
/// Before a server is listened to again that was away for longer than a broken stream's retries.
const AWAY: Duration = Duration::from_secs(30);

/// The feeding end. Dropping it ends the stream.
pub(super) struct Listener {
    audience: Audience,
    messages: mpsc::Sender<Bytes>,
    changes: Changes,
    feeds: CancellationToken,
    attached: Vec<ServerSession>,
    /// The resources that are listened to, by server.
    followed: BTreeMap<String, Followed>,
    /// A server's session was found lost.
    lost: Arc<Notify>,
    _ends_the_feeds: DropGuard,
}

struct Followed {
    uris: BTreeSet<String>,
    ends: CancellationToken,
}

/// A new stream: what feeds it, and what the client reads.
pub(super) fn stream(audience: Audience) -> (Listener, impl Stream<Item = Bytes> + Send + use<>) {
    let (messages, read) = mpsc::channel(WAITING);
    let feeds = CancellationToken::new();
    let read_to_here = feeds.clone().drop_guard();
    let changes = Changes::default();
    let notifying = notify(changes.clone(), messages.clone());
    tokio::spawn(feeds.clone().run_until_cancelled_owned(notifying));
    let listener = Listener {
        audience,
        messages,
        changes,
        feeds: feeds.clone(),
        attached: Vec::new(),
        followed: BTreeMap::new(),
        lost: Arc::default(),
        _ends_the_feeds: feeds.drop_guard(),
    };
    let stream = ReceiverStream::new(read).map(move |message| {
        let _ = &read_to_here; // dropped with the stream
        message
    });
    (listener, stream)
}

/// Notifies the client of lists that changed. One that reads nothing for a while is notified once of all that changed.
async fn notify(changes: Changes, messages: mpsc::Sender<Bytes>) {
    loop {
        for list in changes.next().await {
            let _ = messages.send(list.changed().to_bytes().into()).await; // cancelled when nobody reads
        }
    }
}

impl Listener {
    /// Passes on the messages of `session` from now on.
    pub(super) fn attach(&mut self, session: &ServerSession) {
        if self.attached.iter().any(|known| known.is(session)) {
            return;
        }
        self.attached.retain(|known| known.server() != session.server());
        self.attached.push(session.clone());
        let feed = Feed {
            audience: self.audience.clone(),
            session: session.clone(),
            messages: self.messages.clone(),
            changes: self.changes.clone(),
            lost: Arc::clone(&self.lost),
        };
        let feeds = self.feeds.clone();
        tokio::spawn(async move { feeds.run_until_cancelled(feed.run()).await });
    }

    /// Listens to these resources, and to no others.
    pub(super) fn follow(&mut self, subscribed: Vec<(Line, BTreeSet<String>)>) {
        let mut before = std::mem::take(&mut self.followed);
        for (line, uris) in subscribed {
            let server = line.server().to_owned();
            let followed = match before.remove(&server) {
                Some(same) if same.uris == uris => same,
                other => self.listen(line, uris, other),
            };
            self.followed.insert(server, followed);
        }
        for over in before.into_values() {
            over.ends.cancel();
        }
    }

    /// What was listened to `before` ends once the server has acknowledged what takes its place.
    fn listen(&self, line: Line, uris: BTreeSet<String>, before: Option<Followed>) -> Followed {
        let ends = self.feeds.child_token();
        let listening = Listening {
            line,
            wanted: Filter {
                uris: uris.clone(),
                ..Filter::default()
            },
            updates: self.messages.clone(),
            written: Arc::new(|said: Notification| subscriptions::off(said).to_bytes().into()),
            lost: Some(Arc::clone(&self.lost)),
        };
        let (accepting, accepted) = oneshot::channel();
        tokio::spawn(ends.clone().run_until_cancelled_owned(listening.run(accepting)));
        if let Some(before) = before {
            tokio::spawn(self.feeds.clone().run_until_cancelled_owned(async move {
                let _ = accepted.await; // also where it ended without
                before.ends.cancel();
            }));
        }
        Followed { uris, ends }
    }

    /// Notifies the client that it should get this list again.
    pub(super) fn list_changed(&self, list: List) {
        self.changes.note(list);
    }

    /// Whether a client still reads.
    pub(super) fn is_heard(&self) -> bool {
        !self.messages.is_closed()
    }
}

/// One server's part in a client's stream.
struct Feed {
    audience: Audience,
    session: ServerSession,
    messages: mpsc::Sender<Bytes>,
    changes: Changes,
    lost: Arc<Notify>,
}

impl Feed {
    /// Until the server offers nothing or its session is gone; the next session is attached when it opens.
    async fn run(self) {
        loop {
            let error = match self.session.listen().await {
                Ok(None) => return,
                Ok(Some(events)) => self.pass_on(events).await,
                Err(error) => error,
            };
            tracing::debug!(server = self.session.server(), %error, "a server's stream ended");
            match error {
                Error::SessionLost => {
                    self.session.lose();
                    return self.lost.notify_waiters();
                }
                Error::Rejected { .. } | Error::Protocol(_) => return,
                _ => tokio::time::sleep(AWAY).await,
            }
        }
    }

    async fn pass_on(&self, mut events: Events) -> Error {
        while let Some(incoming) = events.next().await {
            let incoming = match incoming {
                Ok(incoming) => incoming,
                Err(error) => return error,
            };
            if let Message::Notification(said) = &incoming.message
                && let Some(list) = List::changed_by(said)
            {
                self.changes.note(list);
                continue;
            }
            if let Some(message) = self.audience.relay(&self.session, incoming) {
                let _ = self.messages.send(message).await; // cancelled when nobody reads
            }
        }
        Error::Interrupted
    }
}
