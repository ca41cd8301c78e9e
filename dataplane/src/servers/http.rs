//! HTTP towards one server: what is sent is what was asked for, what comes back is
//! bounded, and an error says whether the request went out.
//!
//! Called by [`super::session`] and [`super::open`]. Invariant: what a client sent as its headers is not in a request, what
//! the route gives for the server ([`super::access`]) always is.

use ::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, DATE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use asyncmcp_delivery::clock::Millis;
use asyncmcp_delivery::engine::Room;
use asyncmcp_delivery::schedule;
use asyncmcp_protocol::media;
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use reqwest::Response;

use super::advice::{Advice, Spoken};
use super::{Error, Upstream, cause};

/// Both, always (MCP 2025-11-25, "Sending Messages to the Server").
const ACCEPT_BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const ACCEPT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Upstream {
    /// Sends a message; returns at the response's head.
    pub(super) async fn post(&self, mut headers: HeaderMap, body: Bytes) -> Result<Response, Error> {
        headers.insert(ACCEPT, ACCEPT_BOTH);
        headers.insert(CONTENT_TYPE, JSON);
        self.send(Method::POST, headers, body).await
    }

    /// Asks for a stream; returns at the response's head.
    pub(super) async fn get(&self, mut headers: HeaderMap) -> Result<Response, Error> {
        headers.insert(ACCEPT, ACCEPT_STREAM);
        self.send(Method::GET, headers, Bytes::new()).await
    }

    /// Ends a session.
    pub(super) async fn delete(&self, headers: HeaderMap) -> Result<Response, Error> {
        self.send(Method::DELETE, headers, Bytes::new()).await
    }

    async fn send(&self, method: Method, mut headers: HeaderMap, body: Bytes) -> Result<Response, Error> {
        let access = self.access();
        let open = access.open()?;
        open.complete(&mut headers);
        // Not as bytes, of which the client would keep a copy until the answer: they are dropped once they are sent.
        let body = reqwest::Body::wrap(Full::new(body));
        let request = open.http().request(method, open.url().clone());
        let sent = request.headers(headers).body(body).send().await;
        sent.map_err(|error| {
            let error = error.without_url();
            if error.is_connect() || error.is_builder() || cause::is_refused_certificate(&error) {
                Error::NotSent(error)
            } else {
                Error::Broken(error)
            }
        })
    }
}

/// What kind of body a response has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// `application/json`.
    Json,
    /// `text/event-stream`.
    Stream,
    /// Neither.
    Other,
}

/// The kind of body that the response announces.
pub(super) fn body_kind(response: &Response) -> Body {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok());
    match media::essence(kind.unwrap_or_default()).as_str() {
        "application/json" => Body::Json,
        "text/event-stream" => Body::Stream,
        _ => Body::Other,
    }
}

/// The whole body, unless it is larger than `limit`; as soon as there is capacity for it (`room`).
pub(super) async fn read(response: Response, limit: usize, room: &Room) -> Result<Bytes, Error> {
    let too_large = Error::TooLarge { limit };
    match said_length(&response) {
        Some(length) if length > limit => return Err(too_large),
        Some(length) => room.take(length).await,
        None => {}
    }
    match read_up_to(response, limit, room).await? {
        (body, true) => Ok(body),
        (_, false) => Err(too_large),
    }
}

/// The beginning of the body of an error; an unreadable one is empty.
pub(super) async fn beginning(response: Response) -> Bytes {
    const LIMIT: usize = 4096;
    read_up_to(response, LIMIT, &Room::default())
        .await
        .map_or_else(|_| Bytes::new(), |(body, _)| body)
}

/// At most about `limit` bytes, and whether that is all of the body.
async fn read_up_to(mut response: Response, limit: usize, room: &Room) -> Result<(Bytes, bool), Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = room
        .read(response.chunk())
        .await?
        .map_err(|error| Error::Broken(error.without_url()))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            return Ok((body.freeze(), false));
        }
        room.take(body.len()).await;
    }
    Ok((body.freeze(), true))
}

impl Upstream {
    /// What a status that says nothing about the message means.
    pub(super) fn rejected(&self, response: &Response) -> Error {
        let (access, endpoint) = (self.access(), &self.0.endpoint);
        let spoken = Spoken {
            url: &endpoint.url,
            host: &endpoint.host,
            credential: access.credential(),
        };
        let status = response.status();
        Error::Rejected {
            status: status.as_u16(),
            advice: Advice::of(status, response.headers(), &spoken),
        }
    }

    /// The same with what the body says of a mistake in the route, if it says anything.
    pub(super) fn explained(&self, rejected: Error, said: &[u8]) -> Result<Error, Error> {
        match rejected {
            Error::Rejected { status, advice } => {
                match Advice::of_body(status, said, &self.0.endpoint.host) {
                    Some(advice) => Ok(Error::Rejected { status, advice }),
                    None => Err(Error::Rejected { status, advice }),
                }
            }
            other => Err(other),
        }
    }

    /// What 429 and 503 mean, with `Retry-After` (RFC 9110, 10.2.3): seconds, or a date by the server's own clock (`Date`).
    pub(super) fn busy(&self, response: &Response) -> Option<Error> {
        let no_room = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        let header = |name| response.headers().get(name)?.to_str().ok();
        let now = header(DATE)
            .and_then(schedule::http_date)
            .unwrap_or(Millis(u64::MAX));
        let retry_after = header(RETRY_AFTER).and_then(|asked| schedule::retry_after(asked, now));
        no_room.contains(&response.status()).then(|| Error::Busy {
            retry_after: retry_after.unwrap_or_default(),
            not_dispatched: self
                .0
                .endpoint
                .not_dispatched
                .contains(&response.status().as_u16()),
        })
    }
}

fn said_length(response: &Response) -> Option<usize> {
    response
        .headers()
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
