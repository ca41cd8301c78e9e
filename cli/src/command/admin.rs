//! HTTP client of a data plane's admin port.
//!
//! Used by `jobs`, `status` and `console`.
//!
//! Invariant: the token is sent to the given URL only (no proxy, no redirect), and appears in no error.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use http::StatusCode;
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::Value;
use url::Url;

use super::print;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) struct Admin {
    client: Client,
    url: Url,
    token: String,
}

impl Admin {
    pub(crate) fn new(url: &str, token: Option<String>, file: Option<&Path>) -> Result<Self> {
        let url = Url::parse(url).with_context(|| format!("--admin {url:?} is not a URL"))?;
        if url.path().trim_end_matches('/').ends_with("/jobs") {
            bail!("--admin {url}: leave out the path /jobs");
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()?;
        let token = token_of(token, file)?;
        Ok(Self { client, url, token })
    }

    /// Gets the JSON at `path`.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        let mut url = self.at(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        json(&self.answer(self.client.get(url)).await?)
    }

    /// Gets the text at `path`.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        self.answer(self.client.get(self.at(path))).await
    }

    /// Posts to `path` and returns the JSON of the response.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        let request = self.client.post(self.at(path));
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        };
        json(&self.answer(request).await?)
    }

    /// Deletes what is at `path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.answer(self.client.delete(self.at(path))).await.map(drop)
    }

    /// The URL of `path`.
    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    async fn answer(&self, request: RequestBuilder) -> Result<String> {
        let response = request.bearer_auth(&self.token).send().await;
        let response = response.map_err(|error| {
            let (url, why) = (&self.url, print::cause(&error.without_url()));
            anyhow!(
                "failed to reach a data plane's admin port at {url}: {why}; is one running there, or its port 9464 forwarded? see \
                 --admin and --route"
            )
        })?;
        let status = response.status();
        let text = response.text().await.context("the response was cut off")?;
        if status.is_success() {
            return Ok(text);
        }
        bail!("{}", wrong(status, &text))
    }
}

fn token_of(token: Option<String>, file: Option<&Path>) -> Result<String> {
    let token = match (file, token) {
        (Some(file), _) => {
            let name = || format!("--token-file {}", file.display());
            let token = std::fs::read_to_string(file).with_context(name)?;
            if token.trim().is_empty() {
                bail!("{}: the file is empty", name());
            }
            token
        }
        (None, Some(token)) => token,
        (None, None) => bail!(
            "missing admin token: use --token-file STATE_DIR/adminToken on a laptop, or --route NAME in a cluster"
        ),
    };
    Ok(token.trim().to_owned())
}

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).context("the response is not from a data plane's admin port; see --admin")
}

/// The message of a problem document (RFC 9457).
fn wrong(status: StatusCode, text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(detail) = problem["detail"].as_str() else {
        return format!("HTTP {status}: the response is not from a data plane's admin port; see --admin");
    };
    match problem["field"].as_str() {
        Some(field) => format!("{field}: {detail}"),
        None if status == StatusCode::UNAUTHORIZED => format!("{detail}; see --token-file"),
        None => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_reported_with_its_field() {
        let problem = r#"{"status":400,"detail":"given twice","field":"state"}"#;
        assert_eq!(wrong(StatusCode::BAD_REQUEST, problem), "state: given twice");
        assert!(wrong(StatusCode::NOT_FOUND, "").contains("--admin"));
        let problem = r#"{"detail":"this is not the token"}"#;
        assert!(wrong(StatusCode::UNAUTHORIZED, problem).ends_with("see --token-file"));
    }

    fn provider() {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }

    #[test]
    fn invalid_and_missing_arguments_are_named() {
        provider();
        let said = |result: Result<Admin>| format!("{:#}", result.err().unwrap());
        let token = || Some("t".to_owned());
        assert!(said(Admin::new("nonsense", token(), None)).contains("--admin"));
        assert!(said(Admin::new("http://x/", None, None)).contains("--token-file"));
        let file = Path::new("/nonexistent/adminToken");
        assert!(said(Admin::new("http://x/", None, Some(file))).contains("/nonexistent/adminToken"));
        let empty = Path::new("/dev/null");
        let text = said(Admin::new("http://x/", token(), Some(empty)));
        assert_eq!(text, "--token-file /dev/null: the file is empty");
    }

    #[test]
    fn a_base_path_of_the_url_is_kept() {
        provider();
        let admin = Admin::new("http://x/base/", Some("t".to_owned()), None).unwrap();
        assert_eq!(admin.at("/jobs").as_str(), "http://x/base/jobs");
    }
}
