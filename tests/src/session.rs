//! An MCP client by hand (2025-11-25): it says exactly what a test wants said, and shows what came back.
//!
//! Tests of crashes, faults and bad input use it where a proper client would be too polite. Invariant:
//! nothing is sent twice and nothing is checked here.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_protocol::sse;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Client, ClientBuilder, RequestBuilder};
use serde_json::{Value, json};

/// The longest that any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a stream may stay open.
pub(crate) const FOR_EVER: Duration = Duration::from_hours(24);

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    http: Client,
    url: String,
    id: String,
    token: Option<String>,
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// The JSON of the body, or of the last event if it is a stream; null if it is neither.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        let last = text.lines().rev().find_map(|line| line.strip_prefix("data:"));
        serde_json::from_str(last.unwrap_or(&text)).unwrap_or_default()
    }

    /// The id of the job that an acknowledgement names.
    pub fn job(&self) -> Option<String> {
        let answer = self.json();
        let job = &answer["result"]["_meta"]["dev.asyncmcp/job"]["id"];
        job.as_str().map(str::to_owned)
    }

    /// Whether a call of a webhook tool was accepted, in either way.
    pub fn is_acknowledgement(&self) -> bool {
        self.status == 202 || self.job().is_some()
    }
}

impl Session {
    /// Opens a session with the endpoint at `url`; one that names a receiver is asyncmcp's kind.
    pub async fn open(url: &str, webhook_url: Option<&str>) -> Result<Self> {
        Self::nowhere(url)?.begin(webhook_url).await
    }

    /// Opens a session as this client.
    pub async fn begin(self, webhook_url: Option<&str>) -> Result<Self> {
        self.introduced(initialize(webhook_url, &json!({}))).await
    }

    /// Opens a session of a client that declares these capabilities.
    pub async fn open_capable(url: &str, capabilities: &Value) -> Result<Self> {
        Self::nowhere(url)?.begin_capable(capabilities).await
    }

    /// Opens a session as this client, which declares these capabilities.
    pub async fn begin_capable(self, capabilities: &Value) -> Result<Self> {
        self.introduced(initialize(None, capabilities)).await
    }

    async fn introduced(self, initialize: String) -> Result<Self> {
        let reply = self.post(initialize).await?;
        let id = reply.headers.get("mcp-session-id");
        let id = id.with_context(|| format!("no session: HTTP {} {}", reply.status, reply.json()))?;
        let id = id.to_str()?.to_owned();
        Ok(Self { id, ..self })
    }

    /// The same with what `client` says of connections.
    pub async fn open_with(client: ClientBuilder, url: &str) -> Result<Self> {
        Self::with(client, url)?.begin(None).await
    }

    /// A client that has no session yet.
    pub fn nowhere(url: &str) -> Result<Self> {
        Self::with(client_at(url), url)
    }

    fn with(client: ClientBuilder, url: &str) -> Result<Self> {
        Ok(Self {
            http: client.no_proxy().timeout(PATIENCE).build()?,
            url: url.to_owned(),
            id: String::new(),
            token: None,
        })
    }

    /// The same client with another session id.
    #[must_use]
    pub fn with_id(&self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self.clone()
        }
    }

    /// The same client with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// A POST with this client's headers, for a test to change before it is sent.
    pub fn request(&self, body: impl Into<Body>) -> RequestBuilder {
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .body(body);
        self.identified(request)
    }

    /// POSTs a body as it is.
    pub async fn post(&self, body: impl Into<Body>) -> Result<Reply, reqwest::Error> {
        answer(self.request(body)).await
    }

    /// Calls a tool.
    pub async fn call(&self, id: u64, tool: &str, arguments: &Value) -> Result<Reply, reqwest::Error> {
        let params = json!({"name": tool, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        self.post(call.to_string()).await
    }

    /// Sends a request and reads what came back.
    pub async fn ask(&self, id: u64, method: &str, params: &Value) -> Result<Value, reqwest::Error> {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        Ok(self.post(body.to_string()).await?.json())
    }

    /// The names of the tools.
    pub async fn tools(&self) -> Result<Vec<String>> {
        let list = json!({"jsonrpc": "2.0", "id": "tools", "method": "tools/list"});
        let answer = self.post(list.to_string()).await?.json();
        let tools = answer["result"]["tools"].as_array();
        let tools = tools.with_context(|| format!("no tools: {answer}"))?;
        Ok(tools
            .iter()
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
            .collect())
    }

    /// The standalone stream: its messages, without its comments, until it ends.
    pub async fn stream(&self) -> Result<impl Stream<Item = Value> + Send + use<>> {
        let request = self.http.get(&self.url).header(ACCEPT, "text/event-stream");
        let request = request.timeout(FOR_EVER);
        let response = self.identified(request).send().await?.error_for_status()?;
        Ok(messages(response))
    }

    /// Sends a request that is answered by a stream: its messages as they come.
    pub async fn follow(&self, request: &Value) -> Result<impl Stream<Item = Value> + Send + use<>> {
        let request = self.request(request.to_string()).timeout(FOR_EVER);
        Ok(messages(request.send().await?.error_for_status()?))
    }

    /// A GET for what came after the event `last` of an answer.
    pub fn resume(&self, last: &str) -> RequestBuilder {
        let request = self.http.get(&self.url).header(ACCEPT, "text/event-stream");
        self.identified(request).header("last-event-id", last)
    }

    fn identified(&self, request: RequestBuilder) -> RequestBuilder {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        if self.id.is_empty() {
            return request;
        }
        request.header("mcp-session-id", &self.id)
    }
}

/// The messages of an event stream, without its comments, until it ends.
pub fn messages(response: reqwest::Response) -> impl Stream<Item = Value> + Send + use<> {
    let mut text = String::new();
    let messages = response.bytes_stream().map(move |chunk| {
        text.push_str(&String::from_utf8_lossy(&chunk.unwrap_or_default()));
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = text.drain(..whole).collect();
        let data = lines.lines().filter_map(|line| line.strip_prefix("data:"));
        let parsed: Vec<Value> = data.filter_map(|data| serde_json::from_str(data).ok()).collect();
        futures::stream::iter(parsed)
    });
    messages.flatten()
}

/// The events of a stream, without its comments, until it ends.
pub fn events(response: reqwest::Response) -> impl Stream<Item = sse::Event> + Send + use<> {
    let mut decoder = sse::Decoder::new(usize::MAX);
    let events = response.bytes_stream().map(move |chunk| {
        let _ = decoder.push(&chunk.unwrap_or_default()); // nothing is too large
        let ready: Vec<_> = std::iter::from_fn(|| decoder.next_event()).collect();
        futures::stream::iter(ready)
    });
    events.flatten()
}

/// Each client has a loopback address of its own: by its address the data plane tells clients without credentials apart.
fn client_at(url: &str) -> ClientBuilder {
    static CLIENTS: AtomicU32 = AtomicU32::new(1);
    let client = Client::builder().no_proxy();
    if !url.starts_with("http://127.0.0.1:") {
        return client;
    }
    let [_, high, middle, low] = CLIENTS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    client.local_address(IpAddr::from([127, high.wrapping_add(1), middle, low]))
}

/// Sends a request and reads its answer to the end.
pub async fn answer(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response = request.send().await?;
    Ok(Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await?,
    })
}

fn initialize(webhook_url: Option<&str>, capabilities: &Value) -> String {
    let mut params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities,
        "clientInfo": {"name": "asyncmcp-tests", "version": "0"},
    });
    if let Some(url) = webhook_url {
        params["_meta"] = json!({"webhookUrl": url});
    }
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string()
}
