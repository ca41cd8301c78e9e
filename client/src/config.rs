//! What a client is told: the six settings of asyncmcp's Python client, by their names.
//!
//! Filled in by the application, read by `client` and `transport`.
//!
//! Invariant: a field that is set has an effect.

use std::time::Duration;

use url::Url;

use crate::error::Error;

/// The settings of a [`crate::Client`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The MCP endpoint.
    pub server_url: String,
    /// The receiver named at `initialize`. None: the route's default receives the results.
    pub webhook_url: Option<String>,
    /// The longest silence while an answer is awaited, in seconds. Any bytes end a silence,
    /// keep-alive comments included.
    pub timeout_seconds: f64,
    /// How often a request is sent again when no connection could be made. A request that
    /// may have arrived is never sent twice.
    pub max_retries: u32,
    /// Sent as `X-Client-ID`.
    pub client_id: Option<String>,
    /// The life of the session, in seconds; later calls fail and a new client is needed.
    pub transport_timeout_seconds: Option<f64>,
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
        }
    }
}

impl Config {
    pub(crate) fn url(&self) -> Result<Url, Error> {
        let invalid = |why: String| Error::config("server_url", why);
        let url = Url::parse(&self.server_url).map_err(|error| invalid(error.to_string()))?;
        match url.scheme() {
            "http" | "https" => Ok(url),
            other => Err(invalid(format!("the scheme {other:?} is not http or https"))),
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
            format!("{value} is not a number of seconds above 0"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_makes_no_sense_is_named() {
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
