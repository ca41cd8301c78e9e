//! One server's resources and tasks, listened to for as long as somebody wants to hear of them: by `subscriptions/listen`
//! where the server is modern, else by `resources/subscribe` in a session and its standalone stream.
//!
//! A client's standalone stream has one for each server that it subscribed to, and so has each `subscriptions/listen`.
//! Invariant: a server that restarts, or is away, is asked again for as long as anybody waits; one that offers nothing of
//! it is not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use asyncmcp_protocol::subscriptions::{self, Filter, LISTEN};
use asyncmcp_protocol::{Message, Notification, Request};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::{Notify, mpsc, oneshot};

use super::line::Line;
use super::settings;
use crate::servers::{Error, Events, Outgoing, Received, ServerSession};

/// How long a server may take to acknowledge, even where ordinary calls may take longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before a server is asked again, the first time and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The resources that a server is asked for at the same time.
const AT_ONCE: usize = 8;

/// How a notification is written for whoever hears it.
pub(super) type Written = Arc<dyn Fn(Notification) -> Bytes + Send + Sync>;

/// What is listened to, and who hears it.
pub(super) struct Listening {
    pub(super) line: Line,
    pub(super) wanted: Filter,
    pub(super) updates: mpsc::Sender<Bytes>,
    pub(super) written: Written,
    /// The line's session is the client's own: what it set there is set again when it opens, and its stream is read
    /// elsewhere. Notified when that finds a session lost.
    pub(super) lost: Option<Arc<Notify>>,
}

/// Who gets to know what of it the server notifies of.
type Accepted = Option<oneshot::Sender<Filter>>;

impl Listening {
    /// Until nobody hears it any more, or the server has said that it offers nothing of it.
    pub(super) async fn run(self, accepted: oneshot::Sender<Filter>) {
        let mut accepted = Some(accepted);
        let mut wait = FIRST_WAIT;
        loop {
            let was_acknowledged = accepted.is_none();
            match self.once(&mut accepted).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(server = self.line.server(), %error, "a subscription was interrupted");
                }
            }
            if !was_acknowledged && accepted.is_none() {
                wait = FIRST_WAIT;
            }
            tokio::time::sleep(wait).await;
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    async fn once(&self, accepted: &mut Accepted) -> Result<(), Error> {
        let session = self.line.session().await?;
        let ended = match &self.lost {
            _ if session.is_modern() => self.modern(&session, accepted).await,
            Some(lost) => {
                acknowledge(accepted, self.wanted.clone());
                until_lost(&session, lost).await;
                Err(Error::SessionLost)
            }
            None => self.legacy(&session, accepted).await,
        };
        if matches!(ended, Err(Error::SessionLost)) {
            session.lose(); // the next pass opens another one
        }
        ended
    }

    /// The stream first, so that no change is missed between the two. Such a server has no tasks to listen to.
    async fn legacy(&self, session: &ServerSession, accepted: &mut Accepted) -> Result<(), Error> {
        if self.wanted.uris.is_empty() {
            acknowledge(accepted, Filter::default());
            return Ok(());
        }
        let events = session.listen().await?;
        let asking = self.wanted.uris.iter().cloned().map(|uri| async move {
            let is_taken = settings::subscribe(session, &uri).await?;
            Ok(is_taken.then_some(uri))
        });
        let asking = futures::stream::iter(asking).buffer_unordered(AT_ONCE);
        let answers: Vec<Result<Option<String>, Error>> = asking.collect().await;
        let answers: Vec<_> = answers.into_iter().collect::<Result<_, _>>()?;
        let taken: BTreeSet<_> = answers.into_iter().flatten().collect();
        let (Some(events), false) = (events, taken.is_empty()) else {
            acknowledge(accepted, Filter::default());
            return Ok(());
        };
        let taken = Filter {
            uris: taken,
            ..Filter::default()
        };
        acknowledge(accepted, taken);
        self.pass_on(events).await
    }

    async fn modern(&self, session: &ServerSession, accepted: &mut Accepted) -> Result<(), Error> {
        let Some((taken, events)) = listen(session, &self.wanted).await? else {
            acknowledge(accepted, Filter::default());
            return Ok(());
        };
        acknowledge(accepted, taken);
        self.pass_on(events).await
    }

    async fn pass_on(&self, mut events: Events) -> Result<(), Error> {
        while let Some(incoming) = events.next().await {
            match incoming?.message {
                Message::Notification(said) if self.is_wanted(&said) => {
                    if self.updates.send((self.written)(said)).await.is_err() {
                        return Ok(()); // nobody hears it
                    }
                }
                Message::Request(asked) => events.decline(&asked),
                Message::Notification(_) => {}
                Message::Response(_) => return Err(Error::Interrupted), // the server ended it
            }
        }
        Err(Error::Interrupted)
    }

    /// A server's own word is trusted for resources, which may be within one that was asked for; a task is somebody's.
    fn is_wanted(&self, said: &Notification) -> bool {
        let task = subscriptions::task(said);
        subscriptions::updated(said).is_some() || task.is_some_and(|task| self.wanted.tasks.contains(&task))
    }
}

async fn until_lost(session: &ServerSession, lost: &Notify) {
    loop {
        let next = lost.notified(); // hears of all from here on
        if session.is_lost() {
            return;
        }
        next.await;
    }
}

/// Whether a modern server would notify of changes of the resource.
pub(super) async fn is_offered(session: &ServerSession, uri: &str) -> Result<bool, Error> {
    let wanted = Filter {
        uris: [uri.to_owned()].into(),
        ..Filter::default()
    };
    let listening = listen(session, &wanted).await?;
    Ok(listening.is_some_and(|(taken, _)| taken.uris.contains(uri)))
}

/// What was acknowledged, and what is said of it; `None` where the server takes nothing.
async fn listen(session: &ServerSession, wanted: &Filter) -> Result<Option<(Filter, Events)>, Error> {
    let limit = session.upstream().timeout().min(PATIENCE);
    let beginning = tokio::time::timeout(limit, begin(session, wanted)).await;
    beginning.unwrap_or(Err(Error::Silent(limit)))
}

async fn begin(session: &ServerSession, wanted: &Filter) -> Result<Option<(Filter, Events)>, Error> {
    let request = Request::new(session.upstream().own_id(), LISTEN, Some(wanted.to_params()));
    let message = Outgoing {
        id: Some(request.id.clone()),
        ..Outgoing::new(LISTEN, request.to_bytes())
    };
    let Received::Stream(mut events) = session.post(message).await? else {
        return Ok(None); // an error: it offers no such thing
    };
    match events.next().await.ok_or(Error::Interrupted)??.message {
        Message::Notification(first) => {
            let taken = Filter::acknowledged(&first).unwrap_or_default();
            let taken = Filter {
                uris: taken.uris.intersection(&wanted.uris).cloned().collect(),
                tasks: taken.tasks.intersection(&wanted.tasks).cloned().collect(),
                ..Filter::default()
            };
            Ok((taken != Filter::default()).then_some((taken, *events)))
        }
        _ => Ok(None),
    }
}

fn acknowledge(accepted: &mut Accepted, taken: Filter) {
    if let Some(accepted) = accepted.take() {
        let _ = accepted.send(taken); // nobody waits for it
    }
}
