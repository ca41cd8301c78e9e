//! The door: what is refused before a byte of MCP is read.
//!
//! [`super::router`] asks it on every request, first about path, Host and Origin, then
//! about the headers and the size of a POST. Invariant: a page in a browser reaches
//! nothing here unless its Origin is listed or is this very host (DNS rebinding).

use std::time::Duration;

use asyncmcp_crds::HostPattern;
use asyncmcp_crds::effective::Route;
use asyncmcp_protocol::{era, header, media};
use axum::body::{Body, Bytes};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};
use http_body_util::BodyExt as _;

use super::accept::{Accept, Kinds};
use crate::caller::respond::door::{BODY_TIME, Error};
use crate::ports::host;

/// What is still read of a body that is too large, so that the client gets to see the answer.
const LINGER_BYTES: usize = 16 << 20;
/// How long it is read.
const LINGER_TIME: Duration = Duration::from_secs(5);

/// The rules about where a request may come from and go to.
#[derive(Clone, Copy, Debug)]
pub struct Door<'a> {
    /// `transport.path`.
    pub path: &'a str,
    /// `transport.hostnames`; empty when absent.
    pub hostnames: &'a [HostPattern],
    /// `transport.allowedOrigins`.
    pub origins: &'a [String],
    /// Whether the listener is bound to loopback only.
    pub loopback: bool,
}

impl Door<'_> {
    /// Whether a request for `uri` with these headers may come in.
    pub fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        if without_slash(uri.path()) != without_slash(self.path) {
            return Err(Error::Path(self.path.to_owned()));
        }
        let host = host::of(uri, headers);
        if !self.answers_to(host) {
            return Err(Error::Host(host.to_owned()));
        }
        match headers.get(ORIGIN) {
            Some(origin) if !self.trusts(origin, host) => Err(Error::Origin(
                String::from_utf8_lossy(origin.as_bytes()).into_owned(),
            )),
            _ => Ok(()),
        }
    }

    fn answers_to(&self, host: &str) -> bool {
        match self.hostnames {
            [] => !self.loopback || host::is_loopback(host),
            listed => host::is_listed(listed, host),
        }
    }

    fn trusts(&self, origin: &HeaderValue, host: &str) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let own = host::is_loopback(host) || host::is_listed(self.hostnames, host);
        self.origins
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(origin))
            || own && authority_of(origin).is_some_and(|from| from.eq_ignore_ascii_case(host))
    }
}

/// A path without its last slash: users and OAuth metadata write `/mcp` and `/mcp/`. Neither is redirected to the other, for
/// clients lose their credentials on the way.
fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

/// The Host header that goes with this origin: browsers omit a scheme's default port in both.
fn authority_of(origin: &str) -> Option<&str> {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
}

/// The `MCP-Protocol-Version` header.
pub(super) fn version(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::PROTOCOL_VERSION)?.to_str().ok()
}

/// Whether a POST's headers promise what is needed, JSON; and what its answer may be.
pub fn post(headers: &HeaderMap) -> Result<Kinds, Error> {
    let kinds = Accept::of(headers).kinds();
    let kinds = kinds.ok_or(Error::Accept("application/json, text/event-stream or both"))?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    match media::essence(kind.unwrap_or_default()).as_str() {
        "application/json" => Ok(kinds),
        _ => Err(Error::ContentType),
    }
}

/// Whether GET and DELETE mean anything in the version that the headers name: from 2026-07-28 on there are no sessions.
pub fn has_sessions(headers: &HeaderMap) -> Result<(), Error> {
    match version(headers) {
        Some(named) if era::is_modern_date(named) => Err(Error::NoSessions),
        _ => Ok(()),
    }
}

/// Whether the route has sessions, without which there is neither GET nor DELETE.
pub fn keeps_sessions(route: &Route) -> Result<(), Error> {
    if route.transport.stateless {
        return Err(Error::Stateless);
    }
    Ok(())
}

/// Whether a GET's headers allow a stream.
pub fn get(headers: &HeaderMap) -> Result<(), Error> {
    if Accept::of(headers).takes("text/event-stream") {
        Ok(())
    } else {
        Err(Error::Accept("text/event-stream"))
    }
}

/// Reads a body of at most `limit` bytes; stops at the first byte more.
pub async fn read(headers: &HeaderMap, body: Body, limit: u64) -> Result<Bytes, Error> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > limit)
    {
        linger(body);
        return Err(Error::TooLarge { limit });
    }
    tokio::time::timeout(BODY_TIME, collect(body, limit))
        .await
        .unwrap_or(Err(Error::Slow))
}

async fn collect(mut body: Body, limit: u64) -> Result<Bytes, Error> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::Broken)?.into_data() else {
            continue;
        };
        if (whole.len() + data.len()) as u64 > limit {
            linger(body);
            return Err(Error::TooLarge { limit });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Keeps reading for a while, discarding everything: a connection closed under a client that
/// still sends is reset, and the answer is lost with it.
pub(super) fn linger(mut body: Body) {
    let mut left = LINGER_BYTES;
    let drain = async move {
        while let Some(Ok(frame)) = body.frame().await {
            match frame
                .data_ref()
                .map_or(Some(left), |data| left.checked_sub(data.len()))
            {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    tokio::spawn(tokio::time::timeout(LINGER_TIME, drain));
}

#[cfg(test)]
mod tests;
