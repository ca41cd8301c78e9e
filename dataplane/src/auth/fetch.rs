//! What is read from an issuer: its metadata, and its keys.
//!
//! [`super::issuer`] calls it. Invariant: no proxy, no redirect, a bounded body, and no link-local or metadata address, as
//! towards servers; and keys that metadata names are believed only from metadata of that very issuer.

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_delivery::egress::resolver::Guarded;
use asyncmcp_delivery::egress::{NamedBy, Refusal, Rules};
use http::header::ACCEPT;
use serde::Deserialize;
use url::Url;

use super::keys::KeySet;

/// How long a request may take, and connecting for it.
const REQUEST_TIME: Duration = Duration::from_secs(10);
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// No metadata and no set of keys is larger.
const MAX_BYTES: usize = 256 << 10;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0} is not a URL that keys can be read from")]
    Url(String),
    #[error("{0}")]
    Refused(Refusal),
    #[error("no answer from {url}")]
    Send {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} answered {status}")]
    Status { url: Url, status: u16 },
    #[error("the answer of {0} is larger than {MAX_BYTES} bytes")]
    TooLarge(Url),
    #[error("{0} has no key that tokens could be signed with")]
    NoKeys(Url),
    #[error("{0} is not the metadata of this issuer with a jwks_uri")]
    Metadata(Url),
}

impl Error {
    /// What went wrong, without a URL: for status, which needs no token to be read.
    pub(super) fn without_url(&self) -> String {
        match self {
            Self::Url(_) => "its URL is not one that keys can be read from".to_owned(),
            Self::Refused(refusal) => format!("a request to it is refused: {refusal}"),
            Self::Send { .. } => "it does not answer".to_owned(),
            Self::Status { status, .. } => format!("it answered {status}"),
            Self::TooLarge(_) => format!("its answer is larger than {MAX_BYTES} bytes"),
            Self::NoKeys(_) => "it has no key that tokens could be signed with".to_owned(),
            Self::Metadata(_) => "its metadata names another issuer, or no jwks_uri".to_owned(),
        }
    }
}

/// The HTTP client of all issuers. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Fetcher(reqwest::Client);

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) issuer: String,
    /// `None`: its metadata says it.
    pub(super) jwks_uri: Option<String>,
}

/// Authorization server metadata (RFC 8414), as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    pub(super) fn build() -> reqwest::Result<Self> {
        let builder = reqwest::Client::builder()
            .dns_resolver(Arc::new(Guarded::of_author()))
            .user_agent(concat!("asyncmcp/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIME)
            .timeout(REQUEST_TIME);
        builder.build().map(Self)
    }

    /// The keys of this issuer.
    pub(super) async fn keys(&self, source: &Source) -> Result<KeySet, Error> {
        let url = match &source.jwks_uri {
            Some(url) => parse(url)?,
            None => self.discover(&source.issuer).await?,
        };
        let body = self.get(&url).await?;
        KeySet::parse(&body).ok_or(Error::NoKeys(url))
    }

    /// Where the issuer's metadata says that its keys are.
    async fn discover(&self, issuer: &str) -> Result<Url, Error> {
        let mut last = Error::Url(issuer.to_owned());
        for url in metadata_urls(&parse(issuer)?) {
            match self.metadata(issuer, url).await {
                Ok(found) => return Ok(found),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn metadata(&self, issuer: &str, url: Url) -> Result<Url, Error> {
        let body = self.get(&url).await?;
        let metadata: Option<Metadata> = serde_json::from_slice(&body).ok();
        let is_its_own = |metadata: &Metadata| metadata.issuer == issuer;
        let Some(metadata) = metadata.filter(is_its_own) else {
            return Err(Error::Metadata(url));
        };
        let keys = parse(&metadata.jwks_uri)?;
        // What came over TLS does not send anybody to where it can be changed on its way.
        let is_weaker = url.scheme() == "https" && keys.scheme() != "https";
        if is_weaker {
            Err(Error::Metadata(url))
        } else {
            Ok(keys)
        }
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, Error> {
        let broken = |source: reqwest::Error| Error::Send {
            url: url.clone(),
            source: source.without_url(),
        };
        let checked = Rules::of_author().check_url(NamedBy::Default, url.as_str());
        checked.map_err(Error::Refused)?;
        let request = self.0.get(url.clone()).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(broken)?;
        if !response.status().is_success() {
            let (url, status) = (url.clone(), response.status().as_u16());
            return Err(Error::Status { url, status });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(Error::TooLarge(url.clone()));
            }
        }
        Ok(body)
    }
}

fn parse(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| Error::Url(text.to_owned()))
}

/// RFC 8414, section 3.1 and `OpenID` Connect Discovery 1.0, section 4.1, in the order of MCP 2025-11-25, "Authorization
/// Server Metadata Discovery".
fn metadata_urls(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    let mut urls = vec![
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("/.well-known/openid-configuration{path}")),
    ];
    if !path.is_empty() {
        urls.push(at(format!("{path}/.well-known/openid-configuration")));
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_issuers_have_it() {
        let urls = |issuer: &str| -> Vec<String> {
            let urls = metadata_urls(&Url::parse(issuer).unwrap());
            urls.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            urls("https://a.example/t/1"),
            [
                "https://a.example/.well-known/oauth-authorization-server/t/1",
                "https://a.example/.well-known/openid-configuration/t/1",
                "https://a.example/t/1/.well-known/openid-configuration",
            ]
        );
        for issuer in ["https://a.example", "https://a.example/"] {
            assert_eq!(
                urls(issuer),
                [
                    "https://a.example/.well-known/oauth-authorization-server",
                    "https://a.example/.well-known/openid-configuration",
                ]
            );
        }
    }

    #[tokio::test]
    async fn no_key_is_read_from_a_metadata_service() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let source = Source {
            issuer: "https://a.example".to_owned(),
            jwks_uri: Some("http://169.254.169.254/keys".to_owned()),
        };
        let error = Fetcher::build().unwrap().keys(&source).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
}
