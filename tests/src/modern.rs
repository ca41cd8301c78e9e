//! A modern MCP client by hand (2026-07-28): its headers say what its body says, unless a test changes them.
//!
//! Invariant: nothing is sent twice and nothing is checked here.

use std::time::Duration;

use anyhow::Result;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::session::{Reply, answer};

/// Its version.
pub const VERSION: &str = "2026-07-28";
/// The longest that any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client. It has no session, so it is its HTTP connections and nothing else.
#[derive(Clone, Debug)]
pub struct Modern {
    http: Client,
    url: String,
    capabilities: Value,
}

impl Modern {
    /// One that can answer nothing.
    pub fn new(url: &str) -> Result<Self> {
        Self::capable(url, json!({}))
    }

    /// One that declares these capabilities.
    pub fn capable(url: &str, capabilities: Value) -> Result<Self> {
        Ok(Self {
            http: Client::builder().no_proxy().timeout(PATIENCE).build()?,
            url: url.to_owned(),
            capabilities,
        })
    }

    /// A body as this client writes it. What `params` has in `_meta` is added.
    pub fn body(&self, id: u64, method: &str, mut params: Value) -> Value {
        let mut meta = json!({
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "asyncmcp-tests", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
        });
        for (key, value) in params["_meta"].as_object().into_iter().flatten() {
            meta[key] = value.clone();
        }
        params["_meta"] = meta;
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    /// A POST of `body` with the headers that belong to it, for a test to change before it is sent.
    pub fn request(&self, body: &Value) -> RequestBuilder {
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", VERSION)
            .header("mcp-method", body["method"].as_str().unwrap_or_default())
            .body(body.to_string());
        let params = &body["params"];
        match params["name"].as_str().or(params["uri"].as_str()) {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    /// Asks, and reads the answer to its end.
    pub async fn ask(&self, id: u64, method: &str, params: Value) -> Result<Reply> {
        Ok(answer(self.request(&self.body(id, method, params))).await?)
    }

    /// Calls a tool.
    pub async fn call(&self, id: u64, tool: &str, arguments: Value) -> Result<Reply> {
        self.ask(id, "tools/call", json!({"name": tool, "arguments": arguments}))
            .await
    }

    /// Calls a tool and returns at the answer's head. Dropping it cancels the call.
    pub async fn begin(&self, id: u64, tool: &str, arguments: Value) -> Result<Response> {
        let body = self.body(id, "tools/call", json!({"name": tool, "arguments": arguments}));
        Ok(self.request(&body).send().await?)
    }
}
