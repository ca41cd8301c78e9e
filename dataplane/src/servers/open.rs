//! How a session with a server begins (MCP 2025-11-25, "Lifecycle").
//!
//! [`crate::servers::lines`] opens them through an [`Upstream`]. Invariant: a
//! session that was handed out speaks a version that the gateway knows.

use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, StatusCode};
use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::header::SESSION_ID;
use asyncmcp_protocol::initialize::{InitializeParams, InitializeResult};
use asyncmcp_protocol::offers::Offers;
use asyncmcp_protocol::{Era, Id, Notification, Request, Version, sse, tasks};
use reqwest::Response;

use super::exchange::{self, await_reply};
use super::http::{self, Body};
use super::operation::Operation;
use super::session::{Content, Outgoing, Said, ServerSession, receive};
use super::{Error, Events, Upstream};

/// How long `initialize` may take, even where ordinary calls may take longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// An `endpoint` event holds a path; more than this is another stream.
const FIRST_EVENT: usize = 4096;
/// The id of `initialize`.
const INITIALIZE: &str = "asyncmcp:0";

impl Upstream {
    /// Opens a session with this `initialize`.
    pub async fn open(&self, params: &InitializeParams) -> Result<ServerSession, Error> {
        let limit = self.timeout().min(PATIENCE);
        let mut operation = Operation::begin(&self.0.metrics, self.name(), "initialize", None);
        let opening = self.initialize(params);
        let opened = tokio::time::timeout(limit, opening)
            .await
            .unwrap_or(Err(Error::Silent(limit)));
        opened.inspect_err(|error| operation.failed(error))
    }

    /// A session that was opened before, by this process or an earlier one.
    pub fn remembered(&self, id: &str, version: Version) -> Option<ServerSession> {
        self.known(Some(id), version)
    }

    /// The same, on a server that may keep no sessions.
    pub fn known(&self, id: Option<&str>, version: Version) -> Option<ServerSession> {
        let id = match id {
            Some(id) => Some(session_id(&HeaderValue::from_str(id).ok()?)?),
            None => None,
        };
        Some(ServerSession::opened(self.clone(), id, version, Said::default()))
    }

    async fn initialize(&self, params: &InitializeParams) -> Result<ServerSession, Error> {
        let request = Request::new(Id::text(INITIALIZE), "initialize", Some(params.to_params()));
        let response = self.post(HeaderMap::new(), request.to_bytes().into()).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let id = response.headers().get(SESSION_ID).and_then(session_id);
        let result = self.read_result(params, id.clone(), response).await?;
        let version = version(&result)?;
        let said = Said {
            tasks: tasks::offered(&result.capabilities),
            offers: Offers::of(&result.capabilities),
            logging: Some(result.capabilities.get("logging").is_some()),
            instructions: result.instructions,
        };
        let session = ServerSession::opened(self.clone(), id, version, said);
        let initialized = Notification::new("notifications/initialized", None);
        let message = Outgoing::new("notifications/initialized", initialized.to_bytes());
        match session.post(message).await {
            Ok(_) | Err(Error::Protocol(_)) => Ok(session), // some answer "OK" instead of nothing
            Err(error) => Err(error),
        }
    }

    async fn read_result(
        &self,
        params: &InitializeParams,
        id: Option<HeaderValue>,
        response: Response,
    ) -> Result<InitializeResult, Error> {
        let request = Id::text(INITIALIZE);
        let reply = match receive(response, self.max_response(), &Room::default()).await? {
            Content::Nothing => return Err(Error::Protocol("initialize was answered with no response")),
            Content::Json(body) => exchange::read(&body, &request)?,
            Content::Stream(response) => {
                // The stream may ask before it answers, so it needs a session to answer in.
                let version = Version::negotiate(&params.protocol_version);
                let session = ServerSession::opened(self.clone(), id, version, Said::default());
                await_reply(Events::answer(session, response, None), &request).await?
            }
        };
        let result = reply.result()?;
        InitializeResult::parse(&result)
            .map_err(|_| Error::Protocol("the result of initialize cannot be read"))
    }

    /// Why the server did not take an `initialize`. One that never heard of POST may be of 2024.
    async fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        let maybe_older = matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
        );
        if maybe_older && self.offers_legacy_sse().await {
            return Error::LegacySseTransport;
        }
        if let Some(busy) = self.busy(&response) {
            return busy;
        }
        let rejected = self.rejected(&response);
        let body = http::beginning(response).await;
        if let Some(explained) = self.explained(&rejected, &body) {
            return explained;
        }
        match exchange::read(&body, &Id::text(INITIALIZE)) {
            Ok(reply) => reply
                .result()
                .err()
                .unwrap_or(Error::Protocol("a refusal with a result")),
            Err(_) => rejected,
        }
    }

    /// Whether a GET opens with an `endpoint` event (MCP 2024-11-05, "HTTP with SSE").
    async fn offers_legacy_sse(&self) -> bool {
        let Ok(mut response) = self.get(HeaderMap::new()).await else {
            return false;
        };
        if !response.status().is_success() || http::body_kind(&response) != Body::Stream {
            return false;
        }
        let mut decoder = sse::Decoder::new(FIRST_EVENT);
        while let Ok(Some(chunk)) = response.chunk().await {
            if decoder.push(&chunk).is_err() {
                return false;
            }
            if let Some(event) = decoder.next_event() {
                return event.event.as_deref() == Some("endpoint");
            }
        }
        false
    }
}

/// A session id as the transport allows it: visible ASCII (MCP 2025-11-25, "Session Management"). A copy: a header's value
/// is a part of what was read of its connection, and would keep all of that for as long as the session lasts.
fn session_id(value: &HeaderValue) -> Option<HeaderValue> {
    let id = value.as_bytes();
    let visible = id.iter().all(|byte| (0x21..=0x7e).contains(byte));
    (visible && !id.is_empty()).then(|| HeaderValue::from_bytes(id).ok())?
}

fn version(result: &InitializeResult) -> Result<Version, Error> {
    Version::parse(&result.protocol_version)
        .filter(|version| version.era() == Era::Legacy)
        .ok_or_else(|| Error::Version(result.protocol_version.chars().take(32).collect()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_session_id_keeps_nothing_of_the_answer_it_came_in() {
        let read = Bytes::from(vec![b'x'; 8192]);
        let header = HeaderValue::from_maybe_shared(read.slice(..8)).unwrap();
        let id = session_id(&header).unwrap();
        drop(header);
        assert!(read.is_unique(), "nothing else holds it");
        assert_eq!(id, "xxxxxxxx");
    }
}
