//! A webhook receiver that believes only what a stock Standard Webhooks library verifies.
//!
//! `tests/peers/receiver.{py,mjs}` are the programs. Invariant: a POST that the library did not believe
//! fails the test that looks.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{Peers, Server};
use crate::process::free_port;

/// A running receiver.
pub struct Receiver {
    /// Where webhooks go.
    pub url: String,
    server: Server,
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
        })
    }

    /// What came so far, once each (`webhook-id`): `{"headers", "body"}`. An error if anything was not believed.
    pub fn deliveries(&self) -> Result<Vec<Value>> {
        let posts = self.server.process.json_lines();
        let mut seen = HashSet::new();
        let mut deliveries = Vec::new();
        for post in posts {
            anyhow::ensure!(post["flaw"].is_null(), "not believed: {post}");
            if seen.insert(post["headers"]["webhook-id"].to_string()) {
                deliveries.push(post);
            }
        }
        Ok(deliveries)
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
