//! The settings of a client: the six settings of asyncmcp's Python client, with the same names, and credentials.
//!
//! Set by the application, read by `client` and `transport`.
//!
//! Invariant: every field has an effect.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::error::Error;
use crate::header::Header;

/// The settings of a [`crate::Client`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The URL of the MCP endpoint.
    pub server_url: String,
    /// The URL of the receiver, sent with `initialize`. `None`: results go to the route's default receiver.
    pub webhook_url: Option<String>,
    /// How long the server may be silent before a call fails, in seconds. Any bytes reset the timer, including
    /// keep-alive comments.
    pub timeout_seconds: f64,
    /// How often a request is retried when no connection can be established. A request that may have reached the server
    /// is never retried.
    pub max_retries: u32,
    /// The value of the header `X-Client-ID`, if any.
    pub client_id: Option<String>,
    /// Maximum age of the session, in seconds. Later calls fail, and a new client is needed.
    pub transport_timeout_seconds: Option<f64>,
    /// The token that a route with `auth` asks for.
    pub bearer_token: Option<BearerToken>,
    /// Headers of every request, such as credentials for a proxy in front of the endpoint.
    pub headers: Vec<Header>,
}

/// A token; never shown.
#[derive(Clone)]
pub struct BearerToken(pub(crate) String);

impl BearerToken {
    /// The token in this text, without the white space around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server_url: "http://localhost:8000/mcp".to_owned(),
            webhook_url: None,
            timeout_seconds: 30.0,
            max_retries: 1,
            client_id: None,
            transport_timeout_seconds: None,
            bearer_token: None,
            headers: Vec::new(),
        }
    }
}

impl Config {
    pub(crate) fn url(&self) -> Result<Url, Error> {
        match Url::parse(&self.server_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
            _ => {
                let why = "must be a URL that starts with http:// or https://, for example http://127.0.0.1:8080/mcp";
                Err(Error::config("server_url", why.to_owned()))
            }
        }
    }

    pub(crate) fn silence(&self) -> Result<Duration, Error> {
        seconds("timeout_seconds", self.timeout_seconds)
    }

    pub(crate) fn lifetime(&self) -> Result<Option<Duration>, Error> {
        self.transport_timeout_seconds
            .map(|value| seconds("transport_timeout_seconds", value))
            .transpose()
    }
}

fn seconds(field: &'static str, value: f64) -> Result<Duration, Error> {
    match Duration::try_from_secs_f64(value) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(Error::config(
            field,
            format!("{value} is not a positive number of seconds"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_setting_is_named() {
        let config = Config {
            server_url: "ftp://example.com".into(),
            timeout_seconds: f64::NAN,
            transport_timeout_seconds: Some(0.0),
            ..Config::default()
        };
        assert!(config.url().unwrap_err().to_string().contains("server_url"));
        assert!(
            config
                .silence()
                .unwrap_err()
                .to_string()
                .contains("timeout_seconds")
        );
        assert!(
            config
                .lifetime()
                .unwrap_err()
                .to_string()
                .contains("transport_timeout_seconds")
        );
    }
}
