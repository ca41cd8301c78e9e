//! One server, as one caller reaches it.
//!
//! Everything that sends a message to a server holds a [`Line`]. Invariant: a message is sent a second time only here, in
//! [`Line::once_more`], and only where the server did not know the session, and so did not dispatch it.

use std::future::Future;

use asyncmcp_protocol::offers::Offers;
use asyncmcp_protocol::{Era, Id, Message, RawObject, Request, Version};
use bytes::Bytes;

use super::audience::Audience;
use super::modern_line::ModernLine;
use super::progress::InUse;
use super::session_line::SessionLine;
use super::token::{Place, ResumeToken};
use crate::servers::{
    Error, Events, Incoming, Outgoing, Received, Reply, RequestOptions, ServerSession, Upstream,
};

/// A way to a server. Cheap to clone; opens what it needs when it needs it.
#[derive(Clone)]
pub struct Line {
    sessions: SessionLine,
    modern: ModernLine,
    /// The era that is used where the server speaks both.
    prefers: Era,
    /// To whom the server's messages are passed on. `None`: the gateway's own line.
    audience: Option<Audience>,
}

/// How a server describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The version it speaks.
    pub version: Version,
    /// How it is to be used; not known where an earlier process opened the session.
    pub instructions: Option<String>,
    /// Whether it offers tools as tasks; not known where an earlier process opened the session.
    pub tasks: bool,
    /// What it offers beside tools; not known where an earlier process opened the session.
    pub offers: Offers,
}

impl Line {
    pub(super) fn new(
        sessions: SessionLine,
        modern: ModernLine,
        prefers: Era,
        audience: Option<Audience>,
    ) -> Self {
        Self {
            sessions,
            modern,
            prefers,
            audience,
        }
    }

    /// The same for a caller that cannot be asked through a modern server.
    pub(super) fn unasked(self) -> Self {
        Self {
            modern: self.modern.unasked(),
            ..self
        }
    }

    /// Whether messages of a legacy caller go to a server that has no sessions, so that it hears of no cancellation.
    pub fn is_across_eras(&self) -> bool {
        self.prefers == Era::Legacy && self.upstream().refuses_sessions() && self.sessions.current().is_none()
    }

    /// The server's name.
    pub fn server(&self) -> &str {
        self.upstream().name()
    }

    /// The server.
    pub fn upstream(&self) -> &Upstream {
        self.sessions.upstream()
    }

    /// How the server describes itself.
    pub async fn about(&self) -> Result<About, Error> {
        let session = self.connection().await?;
        Ok(About {
            version: session.version(),
            instructions: session.instructions().map(str::to_owned),
            tasks: session.offers_tasks(),
            offers: session.offers(),
        })
    }

    /// Opens what the next message needs.
    pub async fn open(&self) -> Result<(), Error> {
        self.connection().await.map(drop)
    }

    /// Sends a message. Returns at the response's head, but reads a JSON body whole. It waits as long as the server
    /// takes: the caller knows how long that may be.
    pub async fn send(&self, message: Outgoing) -> Result<Received, Error> {
        self.once_more(|session| {
            let message = message.clone();
            async move { session.post(message).await }
        })
        .await
    }

    /// Asks and waits for the reply, within the server's `timeout` of silence.
    pub async fn ask(&self, method: &str, params: Option<RawObject>) -> Result<Reply, Error> {
        let limit = self.upstream().timeout();
        let request = Request::new(self.own_id(), method, params);
        let asking = self.request(&request, RequestOptions::default());
        tokio::time::timeout(limit, asking)
            .await
            .unwrap_or(Err(Error::Silent(limit)))
    }

    /// Sends `request`, whose id is one of [`Line::own_id`], and waits as long as it takes.
    pub async fn request(&self, request: &Request, options: RequestOptions) -> Result<Reply, Error> {
        self.once_more(|session| {
            let options = options.clone();
            async move { session.call(request, options).await }
        })
        .await
    }

    /// The same by value, for a large request: its bytes, and `params`, which they were made of, are dropped once they are
    /// sent. So it is not sent a second time, not even where the server did not know the session.
    pub async fn request_once(
        &self,
        request: Request,
        params: Bytes,
        options: RequestOptions,
    ) -> Result<Reply, Error> {
        let session = self.connection().await?;
        session.call_once(request, params, options).await
    }

    /// Waits for the reply to a request that an earlier process sent, from the event `last` of its answer on.
    pub async fn resume(&self, request: &Id, last: &str, options: RequestOptions) -> Result<Reply, Error> {
        self.connection().await?.resume(request, last, options).await
    }

    /// Sends a notification about what was sent before. Without a session nothing was, and with a new one the server
    /// would not know what is meant, so none is opened.
    pub async fn notify(&self, message: Outgoing) -> Result<(), Error> {
        match self.sessions.current() {
            Some(session) => session.post(message).await.map(drop),
            None => Ok(()),
        }
    }

    /// Whether the server is still the one that was spoken to before. One that restarted has lost the session.
    pub async fn ping(&self) -> Result<(), Error> {
        let session = self.connection().await?;
        let method = if session.is_modern() {
            "server/discover"
        } else {
            "ping"
        };
        let ping = Request::new(self.own_id(), method, None);
        let limit = self.upstream().timeout();
        let asking = session.call(&ping, RequestOptions::default());
        let answer = tokio::time::timeout(limit, asking).await;
        answer.unwrap_or(Err(Error::Silent(limit)))?; // an error is an answer, too
        if session.is_lost() {
            return Err(Error::SessionLost);
        }
        Ok(())
    }

    /// The messages that the server sends outside of any request; `None` where it offers no such stream.
    pub async fn listen(&self) -> Result<Option<Events>, Error> {
        self.connection().await?.listen().await
    }

    /// What the caller is to read of a message on `events`: a server's request under an id by which the answer finds
    /// its way back ([`super::Lines::answer`]), anything else as it came. `None` for a request that cannot be passed on
    /// (the server has then been answered), and for progress that the caller did not ask for.
    pub fn relay(&self, events: &Events, incoming: Incoming) -> Option<Bytes> {
        match &self.audience {
            Some(audience) => audience.relay(events.session(), incoming),
            None => decline(events.session(), incoming),
        }
    }

    /// The caller wants to hear of progress under this request's token, if it has one, until this is dropped.
    pub fn expect_progress(&self, request: &Request) -> Option<InUse> {
        let token = request.progress_token()?;
        Some(self.audience.as_ref()?.expect(self.server(), token))
    }

    /// An id for a request of the gateway's own; no client's id is spelt like it.
    pub fn own_id(&self) -> Id {
        self.upstream().own_id()
    }

    /// By what another process could continue at `place`; `None` where nothing is open.
    pub fn token(&self, place: Place) -> Option<Bytes> {
        let session = self.sessions.current()?;
        Some(ResumeToken::new(&session, place).to_bytes())
    }

    /// Tells the server that nothing more will be sent.
    pub async fn end(&self) {
        if let Some(session) = self.sessions.current() {
            session.end().await;
        }
    }

    pub(super) fn sessions(&self) -> &SessionLine {
        &self.sessions
    }

    pub(super) async fn is_established(&self) -> bool {
        self.sessions.is_established().await
    }

    /// What the next message is sent in: a session, or what stands for one on a modern server.
    pub(super) async fn session(&self) -> Result<ServerSession, Error> {
        self.connection().await
    }

    /// The way to send by: in the preferred era if the server speaks it, else in the other one.
    async fn connection(&self) -> Result<ServerSession, Error> {
        match self.prefers {
            Era::Modern => self.modern_first().await,
            Era::Legacy => self.legacy_first().await,
        }
    }

    async fn modern_first(&self) -> Result<ServerSession, Error> {
        if let Some(modern) = self.modern.get().await? {
            return Ok(modern);
        }
        let session = self.sessions.get().await;
        session.inspect_err(|error| {
            if error.may_refuse_sessions() {
                self.upstream().forget_eras();
            }
        })
    }

    async fn legacy_first(&self) -> Result<ServerSession, Error> {
        if self.upstream().refuses_sessions()
            && let Some(modern) = self.modern.get().await?
        {
            return Ok(modern);
        }
        let error = match self.sessions.get().await {
            Err(error) if error.may_refuse_sessions() => error,
            result => return result,
        };
        match self.modern.get().await {
            Ok(Some(modern)) => {
                self.upstream().has_refused_sessions();
                Ok(modern)
            }
            Ok(None) | Err(_) => Err(error),
        }
    }

    async fn once_more<T, F>(&self, send: impl Fn(ServerSession) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let session = self.connection().await?;
        match send(session.clone()).await {
            Err(Error::SessionLost) => {
                let again = async { send(self.sessions.replace(&session).await?).await };
                Box::pin(again).await
            }
            result => result,
        }
    }
}

/// Nobody is there to answer.
fn decline(session: &ServerSession, incoming: Incoming) -> Option<Bytes> {
    match &incoming.message {
        Message::Request(request) => {
            session.decline(request);
            None
        }
        _ => Some(incoming.raw),
    }
}
