//! A client's standalone stream: what its servers' standalone streams bring, as they open.
//!
//! Called by [`super::Lines`]. A server that offers no such stream is not asked again.
//! Invariant: a message reaches one stream only, and a stream that nobody reads any more
//! ends every task that fed it.

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::audience::Audience;
use crate::servers::{Error, Events, ServerSession};

/// Messages that wait for a slow client before its servers' streams wait.
const WAITING: usize = 64;
/// Before a server is listened to again that was away for longer than a broken stream's retries.
const AWAY: Duration = Duration::from_secs(30);
/// The message to clients when the merged list of tools may have changed.
const TOOLS_CHANGED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// The feeding end. Dropping it ends the stream.
pub(super) struct Listener {
    audience: Audience,
    messages: mpsc::Sender<Bytes>,
    feeds: CancellationToken,
    attached: Vec<ServerSession>,
    _ends_the_feeds: DropGuard,
}

/// A new stream: what feeds it, and what the client reads.
pub(super) fn stream(audience: Audience) -> (Listener, impl Stream<Item = Bytes> + Send + use<>) {
    let (messages, read) = mpsc::channel(WAITING);
    let feeds = CancellationToken::new();
    let read_to_here = feeds.clone().drop_guard();
    let listener = Listener {
        audience,
        messages,
        feeds: feeds.clone(),
        attached: Vec::new(),
        _ends_the_feeds: feeds.drop_guard(),
    };
    let stream = ReceiverStream::new(read).map(move |message| {
        let _ = &read_to_here; // dropped with the stream
        message
    });
    (listener, stream)
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
        };
        let feeds = self.feeds.clone();
        tokio::spawn(async move { feeds.run_until_cancelled(feed.run()).await });
    }

    /// Notifies the client that it should list the tools again. Where the stream is full of messages, a client
    /// that is so far behind will find the change when it lists.
    pub(super) fn tools_changed(&self) {
        let _ = self.messages.try_send(Bytes::from_static(TOOLS_CHANGED));
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
            if matches!(
                error,
                Error::SessionLost | Error::Rejected { .. } | Error::Protocol(_)
            ) {
                return;
            }
            tokio::time::sleep(AWAY).await;
        }
    }

    async fn pass_on(&self, mut events: Events) -> Error {
        while let Some(incoming) = events.next().await {
            match incoming {
                Ok(incoming) => {
                    if let Some(message) = self.audience.relay(&self.session, incoming) {
                        let _ = self.messages.send(message).await; // cancelled when nobody reads
                    }
                }
                Err(error) => return error,
            }
        }
        Error::Interrupted
    }
}
