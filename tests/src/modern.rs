//! An MCP client by hand (2026-07-28): every request stands for itself.
//!
//! Beside [`crate::session`], which is the same for the older versions. Invariant: nothing is sent twice, and nothing is
//! checked here.

use std::time::Duration;

use anyhow::Result;
use futures::Stream;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::session::{FOR_EVER, Reply, answer, messages};

/// The version.
pub const VERSION: &str = "2026-07-28";
/// The longest that any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client.
#[derive(Clone, Debug)]
pub struct Modern {
    http: Client,
    url: String,
    token: Option<String>,
}

/// `_meta` of a request, with more members.
pub fn meta(more: &Value) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {"sampling": {}},
        "io.modelcontextprotocol/clientInfo": {"name": "asyncmcp-tests", "version": "0"},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        meta[key] = value.clone();
    }
    meta
}

/// A call of a tool, with more members of `_meta`.
pub fn call(id: u64, tool: &str, more: &Value) -> Value {
    let params = json!({"name": tool, "arguments": {}, "_meta": meta(more)});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

/// A request of this method, without params of its own.
pub fn request(id: u64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta(&json!({}))}})
}

impl Modern {
    /// A client of the endpoint at `url`.
    pub fn at(url: &str) -> Result<Self> {
        Ok(Self {
            http: Client::builder().no_proxy().timeout(PATIENCE).build()?,
            url: url.to_owned(),
            token: None,
        })
    }

    /// The same client with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// A POST of these bytes with these headers and no other of the protocol.
    pub fn bare(&self, headers: &[(&str, &str)], body: &str) -> RequestBuilder {
        let mut request = self.http.post(&self.url).header(CONTENT_TYPE, "application/json");
        request = request.header(ACCEPT, "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
        .body(body.to_owned())
    }

    /// A POST of a message with the headers that repeat parts of it.
    pub fn post(&self, message: &Value) -> RequestBuilder {
        let method = &message["method"];
        let name = ["name", "uri", "taskId"]
            .iter()
            .find_map(|member| message["params"][member].as_str());
        let mut headers = vec![
            ("mcp-protocol-version", VERSION),
            ("mcp-method", method.as_str().unwrap_or_default()),
        ];
        headers.extend(name.map(|name| ("mcp-name", name)));
        self.bare(&headers, &message.to_string())
    }

    /// Sends a message that is answered by a stream: its messages, until it ends.
    pub async fn stream(&self, message: &Value) -> Result<impl Stream<Item = Value> + Send + use<>> {
        let response = self.post(message).timeout(FOR_EVER).send().await?;
        Ok(messages(response.error_for_status()?))
    }

    /// Sends a message and reads its answer to the end.
    pub async fn send(&self, message: &Value) -> Result<Reply> {
        Ok(answer(self.post(message)).await?)
    }
}
