//! A webhook receiver that believes only what a stock Standard Webhooks library verifies.
//!
//! `tests/peers/receiver.{py,mjs}` are the programs; what they took the library of crates.io verifies once more here, and
//! the Python one reads it as a `CloudEvent` besides. Invariant: a POST that one of them did not believe fails the test that
//! looks.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use standardwebhooks::Webhook;

use super::{Peers, Server};
use crate::process::free_port;

/// A running receiver.
pub struct Receiver {
    /// Where webhooks go.
    pub url: String,
    server: Server,
    verifier: Webhook,
}

impl Receiver {
    /// One that verifies with `standardwebhooks` of the Python registry.
    pub async fn pypi(peers: &Peers, dir: &Path, secret: &str) -> Result<Self> {
        Self::start(peers.python("mcp", "receiver.py"), dir, secret).await
    }

    /// One that verifies with `standardwebhooks` of npm.
    pub async fn npm(peers: &Peers, dir: &Path, secret: &str) -> Result<Self> {
        Self::start(peers.node("receiver.mjs"), dir, secret).await
    }

    async fn start(mut command: std::process::Command, dir: &Path, secret: &str) -> Result<Self> {
        let port = free_port()?;
        command.args([&port.to_string(), secret]);
        let server = Server::start(command, port, dir.join("receiver.log")).await?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}/webhook"),
            server,
            verifier: Webhook::new(secret)?,
        })
    }

    /// What came so far, once each (`webhook-id`): `{"headers", "body"}`, from the Python receiver also
    /// `"event": {"attributes", "data"}`. An error if anything was not believed.
    pub fn deliveries(&self) -> Result<Vec<Value>> {
        let posts = self.server.process.json_lines();
        let mut seen = HashSet::new();
        let mut deliveries = Vec::new();
        for post in posts {
            anyhow::ensure!(post["flaw"].is_null(), "not believed: {post}");
            self.verify(&post)
                .with_context(|| format!("not believed here: {post}"))?;
            if seen.insert(post["headers"]["webhook-id"].to_string()) {
                deliveries.push(post);
            }
        }
        Ok(deliveries)
    }

    /// What the library of crates.io says.
    fn verify(&self, post: &Value) -> Result<()> {
        let mut headers = HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let value = post["headers"][name].as_str().context(name)?;
            headers.insert(HeaderName::from_static(name), value.parse()?);
        }
        let raw = post["raw"].as_str().context("no body")?;
        Ok(self.verifier.verify(raw.as_bytes(), &headers)?)
    }

    /// The texts of the tool results that came, in alphabetical order.
    pub fn texts(&self) -> Result<Vec<String>> {
        let text = |post: &Value| {
            post["body"]["result"]["content"][0]["text"]
                .as_str()
                .map(str::to_owned)
        };
        let mut texts: Vec<_> = self.deliveries()?.iter().filter_map(text).collect();
        texts.sort();
        Ok(texts)
    }
}
