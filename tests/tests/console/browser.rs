//! A client that behaves as a browser does: it keeps cookies by host without their port, and says where a request comes from.
//!
//! Invariant: it follows no redirect, so that a test sees each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use regex::Regex;
use reqwest::{Client, RequestBuilder, Response, Url, redirect};

/// One host's cookies.
type Jar = Mutex<BTreeMap<String, String>>;

/// The browser.
pub(crate) struct Browser {
    pub(crate) client: Client,
    pub(crate) base: String,
    jar: Jar,
}

impl Browser {
    /// One without cookies, for the console at this URL.
    pub(crate) fn new(base: &str) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).build();
        Self {
            client: client.expect("a client without options that could fail"),
            base: base.trim_end_matches('/').to_owned(),
            jar: Jar::default(),
        }
    }

    /// The same browser at another port of the host.
    pub(crate) fn at(self, base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            ..self
        }
    }

    /// Follows a link.
    pub(crate) async fn get(&self, path: &str) -> Result<Response> {
        self.send(self.client.get(self.url(path))).await
    }

    /// The text of a page that is there.
    pub(crate) async fn page(&self, path: &str) -> Result<String> {
        let answer = self.get(path).await?;
        anyhow::ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(answer.text().await?)
    }

    /// Sends a form of this origin, without what is hidden in it.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Response> {
        self.send(self.form(path, fields).header(ORIGIN, &self.base))
            .await
    }

    /// Sends the form that a page shows, with what is hidden in it.
    pub(crate) async fn submit(&self, page: &str, to: &str) -> Result<Response> {
        let shown = self.page(page).await?;
        let hidden = hidden(&shown)?;
        self.post(to, &[("form", &hidden)]).await
    }

    /// A form that nobody says the origin of.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut body = Url::parse("http://form.invalid/").expect("it is a URL");
        body.query_pairs_mut().extend_pairs(fields);
        let request = self.client.post(self.url(path));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(body.query().unwrap_or_default().to_owned())
    }

    /// Sends a request with the cookies, and keeps those that come.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let cookies = {
            let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
            let pairs = jar.iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join("; ")
        };
        let answer = request.header(COOKIE, cookies).send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie is a pair")?;
            let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
            jar.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The token in a page's forms.
pub(crate) fn hidden(page: &str) -> Result<String> {
    let field = Regex::new(r#"name="form" value="([^"]+)""#)?;
    let found = field.captures(page).context("the page has no form")?;
    Ok(found[1].to_owned())
}
