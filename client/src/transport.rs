//! One POST and its response: JSON, an event stream, or an empty 202.
//!
//! Used by `client` for every message it sends.
//!
//! Invariant: the size of a message and the time without any bytes are bounded; a request that may have reached the
//! server is not retried.

use std::time::Duration;

use asyncmcp_protocol::header;
use asyncmcp_protocol::message::Message;
use asyncmcp_protocol::sse::Decoder;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;
use url::Url;

use crate::config::{BearerToken, Config};
use crate::error::Error;
use crate::header::Header;

/// Maximum size of a message, in bytes.
pub(crate) const MAX_MESSAGE: usize = 32 << 20;
/// The wait before the first retry of a connection; it grows by this much with each retry.
const RETRY_STEP: Duration = Duration::from_millis(100);
/// How much of an error response's body is kept, in bytes.
const MAX_ERROR_TEXT: usize = 1024;

/// A connection to one MCP endpoint.
pub(crate) struct Transport {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    silence: Duration,
    max_retries: u32,
}

/// The response to a POST.
pub(crate) enum Reply {
    /// 202 or 204: accepted, without a body.
    Accepted,
    /// Messages, of which the JSON-RPC response is the last.
    Messages(Box<Messages>),
}

/// The messages of one HTTP response.
pub(crate) struct Messages {
    response: Response,
    body: Body,
    silence: Duration,
}

enum Body {
    Json(Vec<u8>),
    Stream(Decoder),
    Ended,
}

impl Transport {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let url = config.url()?;
        Ok(Self {
            http: http_client(&url)?,
            headers: headers(config)?,
            silence: config.silence()?,
            max_retries: config.max_retries,
            url,
        })
    }

    /// Sends `name: value` with every later request.
    pub(crate) fn set_header(&mut self, name: &'static str, value: HeaderValue) {
        self.headers.insert(HeaderName::from_static(name), value);
    }

    /// POSTs one message. Returns the headers of the response as well.
    pub(crate) async fn post(&self, message: Vec<u8>) -> Result<(HeaderMap, Reply), Error> {
        let response = self.send(Method::POST, message).await?;
        let headers = response.headers().clone();
        match response.status() {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok((headers, Reply::Accepted)),
            StatusCode::OK => {
                let messages = Messages::new(response, self.silence);
                Ok((headers, Reply::Messages(Box::new(messages))))
            }
            StatusCode::NOT_FOUND if self.headers.contains_key(header::SESSION_ID) => Err(Error::SessionOver),
            _ => Err(refused(response, self.silence).await),
        }
    }

    /// Ends the session. A server that does not support this responds with 405, which is not an error.
    pub(crate) async fn delete(&self) -> Result<(), Error> {
        let response = self.send(Method::DELETE, Vec::new()).await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            _ => Err(refused(response, self.silence).await),
        }
    }

    async fn send(&self, method: Method, body: Vec<u8>) -> Result<Response, Error> {
        let body = Bytes::from(body);
        let mut retries = 0;
        loop {
            let request = self
                .http
                .request(method.clone(), self.url.clone())
                .headers(self.headers.clone())
                .body(body.clone());
            match timeout(self.silence, request.send()).await {
                Err(_) => return Err(Error::Silent(self.silence)),
                Ok(Ok(response)) => return Ok(response),
                // Without a connection nothing was sent, so a retry is safe.
                Ok(Err(error)) if error.is_connect() && retries < self.max_retries => {
                    retries += 1;
                    tokio::time::sleep(RETRY_STEP * retries).await;
                }
                Ok(Err(error)) => return Err(unreachable(&self.url, error)),
            }
        }
    }
}

impl Messages {
    fn new(response: Response, silence: Duration) -> Self {
        let kind = response.headers().get(CONTENT_TYPE);
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let body = if is_stream {
            Body::Stream(Decoder::new(MAX_MESSAGE))
        } else {
            Body::Json(Vec::new())
        };
        Self {
            response,
            body,
            silence,
        }
    }

    /// The next message; `None` at the end of the response.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if let Some(message) = self.take() {
                return message.map(Some);
            }
            let Some(chunk) = chunk(&mut self.response, self.silence).await? else {
                return self.end();
            };
            match &mut self.body {
                Body::Stream(decoder) => decoder.push(&chunk).map_err(Error::Stream)?,
                Body::Json(json) if json.len() + chunk.len() > MAX_MESSAGE => {
                    return Err(Error::TooLarge { limit: MAX_MESSAGE });
                }
                Body::Json(json) => json.extend_from_slice(&chunk),
                Body::Ended => return Ok(None),
            }
        }
    }

    /// A complete message. Other events, such as priming events, are skipped.
    fn take(&mut self) -> Option<Result<Message, Error>> {
        let Body::Stream(decoder) = &mut self.body else {
            return None;
        };
        std::iter::from_fn(|| decoder.next_event())
            .find_map(|event| event.message().map(|json| Message::parse(json)))
            .map(|message| message.map_err(Error::Message))
    }

    fn end(&mut self) -> Result<Option<Message>, Error> {
        match std::mem::replace(&mut self.body, Body::Ended) {
            Body::Json(json) => Message::parse(&json).map(Some).map_err(Error::Message),
            Body::Stream(mut decoder) => Ok(last_response(&mut decoder)),
            Body::Ended => Ok(None),
        }
    }
}

/// The response in a last event without its empty line, after which some servers close the connection. One that was cut
/// is no JSON.
fn last_response(decoder: &mut Decoder) -> Option<Message> {
    let message = Message::parse(decoder.finish()?.message()?).ok()?;
    matches!(message, Message::Response(_)).then_some(message)
}

async fn chunk(response: &mut Response, silence: Duration) -> Result<Option<Bytes>, Error> {
    match timeout(silence, response.chunk()).await {
        Err(_) => Err(Error::Silent(silence)),
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(error)) => Err(unreachable(response.url(), error)),
    }
}

/// The error for any other status: refused credentials, the JSON-RPC error in the body if there is one, otherwise the status.
async fn refused(mut response: Response, silence: Duration) -> Error {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_TEXT {
        let Ok(Some(chunk)) = chunk(&mut response, silence).await else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    let error = match Message::parse(&body) {
        Ok(Message::Response(answer)) => answer.error_object(),
        _ => None,
    };
    body.truncate(MAX_ERROR_TEXT);
    let body = String::from_utf8_lossy(&body).into_owned();
    match (status, error) {
        (401 | 403, error) => Error::Credentials {
            status,
            why: error.map_or(body, |error| error.message),
        },
        (_, Some(error)) => Error::Rpc(error),
        (_, None) => Error::Status { status, body },
    }
}

fn unreachable(url: &Url, source: reqwest::Error) -> Error {
    Error::Unreachable {
        url: url.to_string(),
        source: source.without_url(),
    }
}

fn http_client(url: &Url) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    // On a proxy, loopback means the proxy's own machine.
    let builder = if is_loopback(url) {
        builder.no_proxy()
    } else {
        builder
    };
    builder.build().map_err(Error::Http)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn headers(config: &Config) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/event-stream"),
    );
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(id) = &config.client_id {
        let value =
            HeaderValue::from_str(id).map_err(|error| Error::config("client_id", error.to_string()))?;
        headers.insert(HeaderName::from_static("x-client-id"), value);
    }
    if let Some(BearerToken(token)) = &config.bearer_token {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let why = "must be one line of visible characters".to_owned();
        let mut value = value.map_err(|_| Error::config("bearer_token", why))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for Header { name, value } in &config.headers {
        if config.bearer_token.is_some() && *name == AUTHORIZATION {
            let why = "Authorization is set by the bearer token: use one of the two".to_owned();
            return Err(Error::config("headers", why));
        }
        headers.append(name, value.clone());
    }
    Ok(headers)
}
