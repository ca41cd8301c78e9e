//! How the gateway gets in at a server: the headers, the token and the TLS that the route gives for it, as they can be read
//! now.
//!
//! [`super::follow`] reads one for each server from each configuration, [`super::http`] sends with it. Invariant: a request
//! carries every credential that the route gives for its server, or is not sent; no value is in an error or in `Debug`.

mod client;

use std::fmt;
use std::sync::Arc;

use ::http::header::{AUTHORIZATION, HOST};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use asyncmcp_crds::effective::{HeaderValue as Given, Server};
use url::Url;

use self::client::{Client, Tls};
use crate::config::Refs;
use crate::config::keys::Unusable;
use crate::servers::Error;
use crate::servers::missing::Missing;

/// What a request to one server is sent with. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Access(Result<Open, Closed>);

/// All that it takes.
#[derive(Clone, PartialEq)]
pub(super) struct Open {
    /// Added to each request.
    headers: HeaderMap,
    client: Arc<Client>,
    credential: Option<String>,
}

/// Why no request is sent.
#[derive(Clone, Debug)]
enum Closed {
    Unusable(Missing),
    Client(Arc<reqwest::Error>),
}

impl Access {
    /// What `server` at `url` is to be sent. Keeps the connections of `before` where they are made in the same way.
    pub(super) fn read(server: &Server, url: &Url, refs: &Refs, before: Option<&Self>) -> Self {
        let before = before.and_then(|access| access.0.as_ref().ok());
        Self(Open::read(server, url, refs, before))
    }

    /// What it takes, unless something is missing.
    pub(super) fn open(&self) -> Result<&Open, Error> {
        self.0.as_ref().map_err(|closed| match closed {
            Closed::Unusable(missing) => Error::Credentials(Box::new(missing.clone())),
            Closed::Client(error) => Error::Client(Arc::clone(error)),
        })
    }

    /// The field and the key of the credential that the server knows the gateway by.
    pub(super) fn credential(&self) -> Option<&str> {
        self.0.as_ref().ok()?.credential.as_deref()
    }
}

impl Open {
    fn read(server: &Server, url: &Url, refs: &Refs, before: Option<&Self>) -> Result<Self, Closed> {
        let headers = headers(server, url, refs)?;
        let tls = Tls::read(server, url, refs)?;
        let kept = before.filter(|before| before.client.tls == tls);
        let client = match kept {
            Some(before) => Arc::clone(&before.client),
            None => Arc::new(
                tls.connect(url)
                    .map_err(|error| Closed::Client(Arc::new(error)))?,
            ),
        };
        let credential = credential(server);
        Ok(Self {
            headers,
            client,
            credential,
        })
    }

    /// Adds what the route gives to the headers of a request.
    pub(super) fn complete(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }

    /// The HTTP client of the server.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.client.http
    }

    /// The URL as it is dialled.
    pub(super) fn url(&self) -> &Url {
        &self.client.url
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        write!(f, "Open({names:?})")
    }
}

impl PartialEq for Closed {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unusable(one), Self::Unusable(other)) => one == other,
            (Self::Client(one), Self::Client(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

fn headers(server: &Server, url: &Url, refs: &Refs) -> Result<HeaderMap, Closed> {
    let mut headers = HeaderMap::new();
    for header in &server.headers {
        match (
            refs.header(header),
            header.name.parse::<HeaderName>(),
            &header.value,
        ) {
            (Ok(value), Ok(name), _) => drop(headers.insert(name, value)),
            (Err(error), _, Given::Secret(named)) => {
                let field = format!("header {}", header.name);
                return Err(missing(field, error.of(named.clone())));
            }
            // `validate` refuses such a name and such a literal.
            _ => {}
        }
    }
    if let Some(named) = &server.bearer_token {
        let token = refs.bearer(named);
        let token = token.map_err(|error| missing("bearerTokenSecretRef", error.of(named.clone())))?;
        headers.insert(AUTHORIZATION, token);
    }
    if let Ok(host) = HeaderValue::from_str(&host(server, url)) {
        headers.insert(HOST, host);
    }
    Ok(headers)
}

/// The Host header of requests to this server.
pub(super) fn host(server: &Server, url: &Url) -> String {
    server.host.clone().unwrap_or_else(|| authority(url))
}

/// The host of the URL, with its port where it has one.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn credential(server: &Server) -> Option<String> {
    let from_secrets = server.headers.iter().filter_map(|header| match &header.value {
        Given::Secret(named) => Some(format!(
            "header {} (key {} of Secret {})",
            header.name, named.key, named.name
        )),
        Given::Literal(_) => None,
    });
    let token = server.bearer_token.as_ref().map(|named| {
        format!(
            "bearerTokenSecretRef (key {} of Secret {})",
            named.key, named.name
        )
    });
    token.or_else(|| from_secrets.into_iter().next())
}

fn missing(field: impl Into<String>, unusable: Unusable) -> Closed {
    let field = field.into();
    Closed::Unusable(Missing { field, unusable })
}
