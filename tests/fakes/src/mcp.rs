//! An MCP server on loopback that does as a test tells it, faults included, and keeps what it was sent.
//!
//! It has no code of the product's, and no more of MCP than a client of tools needs. The example server is none of
//! these: it is a program that users start. Invariant: it speaks HTTP for real, so that what is tested is what a server
//! would see.

pub mod content;
pub mod modern;
mod raw;
mod reaction;
pub mod task;
mod tls;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

pub use self::content::Content;
pub use self::modern::Speaks;
pub use self::reaction::Reaction;
pub use self::tls::Tls;
use crate::lock;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its HTTP method.
    pub http: Method,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it was written.
    pub raw: String,
    /// Its body, parsed; null where it is no JSON.
    pub body: Value,
}

impl Seen {
    /// The message's method; empty for an answer.
    pub fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
}

/// What the server is like. Change it at any time.
#[derive(Default)]
pub struct Nature {
    /// The eras that it speaks.
    pub speaks: Speaks,
    /// The version it answers; the client's if empty.
    pub version: &'static str,
    /// Its tools.
    pub tools: Vec<Value>,
    /// Tools on one page of the list; all if 0.
    pub page: usize,
    /// What it offers beside tools.
    pub content: Content,
    /// What a request with an unknown session gets.
    pub unknown_session: (u16, &'static str),
    /// How long `initialize` takes.
    pub slow_start: Duration,
    /// What it declares beside tools and tasks.
    pub declares: Value,
    /// The statuses of its task, in turn; `None` where it offers no tasks.
    pub tasks: Option<Vec<&'static str>>,
    /// The sessions it knows.
    pub sessions: HashSet<String>,
    /// The requests so far.
    pub seen: Vec<Seen>,
    /// How often it asked something in the middle of a call, and lived to see the answer.
    pub answered: usize,
    /// How many answers that stall were given up by whoever read them.
    pub given_up: usize,
    /// How many answers stopped half way.
    pub halves: usize,
    reactions: HashMap<String, Vec<Reaction>>,
    ran: HashMap<String, usize>,
    resumed: Option<String>,
}

impl Nature {
    fn capabilities(&self) -> Value {
        let mut capabilities = json!({"tools": {}});
        for name in self.content.capabilities() {
            capabilities[name] = json!({});
        }
        for (name, declared) in self.declares.as_object().into_iter().flatten() {
            capabilities[name] = declared.clone();
        }
        capabilities
    }

    /// What is scripted for a tool, a method or an HTTP method.
    fn reaction(&mut self, key: &str) -> Option<Reaction> {
        let reactions = self.reactions.get_mut(key)?;
        if reactions.len() > 1 {
            return Some(reactions.remove(0));
        }
        reactions.first().cloned()
    }
}

/// The server. It serves until the runtime ends.
#[derive(Clone)]
pub struct McpServer {
    url: String,
    nature: Arc<Mutex<Nature>>,
    /// What the open streams say; null ends them.
    pushes: broadcast::Sender<Value>,
}

/// A tool of this name.
pub fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}})
}

impl McpServer {
    /// With tools of these names.
    pub async fn start(tools: &[&str]) -> Self {
        Self::at(0, tools).await
    }

    /// On a port where nobody listens yet.
    ///
    /// # Panics
    /// When somebody does.
    pub async fn at(port: u16, tools: &[&str]) -> Self {
        Self::serve(port, tools, None).await
    }

    /// Behind TLS.
    pub async fn behind(tls: &Tls, tools: &[&str]) -> Self {
        Self::serve(0, tools, Some(tls.clone())).await
    }

    async fn serve(port: u16, tools: &[&str], tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.expect("nobody listens there");
        let address = listener.local_addr().expect("it is bound");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let nature = Nature {
            version: "2025-11-25",
            tools: tools.iter().map(|name| tool(name)).collect(),
            unknown_session: (404, "Session not found"),
            ..Nature::default()
        };
        let server = Self {
            url: format!("{scheme}://{address}/mcp"),
            nature: Arc::new(Mutex::new(nature)),
            pushes: broadcast::Sender::new(16),
        };
        let router = Router::new().fallback(handle).with_state(server.clone());
        match tls {
            None => drop(tokio::spawn(async move { axum::serve(listener, router).await })),
            Some(tls) => {
                let listener = tls.accept(listener, address);
                tokio::spawn(async move { axum::serve(listener, router).await });
            }
        }
        server
    }

    /// One that answers every POST with this.
    pub async fn that_says(answer: Reaction) -> Self {
        let server = Self::start(&[]).await;
        server.on("POST", [answer]);
        server
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What it is like.
    pub fn nature(&self) -> MutexGuard<'_, Nature> {
        lock(&self.nature)
    }

    /// These reactions, one each and the last one for ever, to calls of this tool, to messages of this method, or to
    /// everything that comes by this HTTP method.
    pub fn on(&self, key: &str, reactions: impl Into<Vec<Reaction>>) {
        self.nature().reactions.insert(key.to_owned(), reactions.into());
    }

    /// A restart as a client sees it.
    pub fn forget_sessions(&self) {
        self.nature().sessions.clear();
    }

    /// Says this on every open GET stream.
    pub fn push(&self, message: &Value) {
        let _ = self.pushes.send(message.clone());
    }

    /// Ends every open GET stream, and those of `subscriptions/listen`.
    pub fn hang_up(&self) {
        let _ = self.pushes.send(Value::Null);
    }

    /// What a stream says from now on.
    fn pushed(&self) -> impl Stream<Item = Value> + Send + use<> {
        let pushes = BroadcastStream::new(self.pushes.subscribe());
        let pushes = pushes.map(Result::unwrap_or_default);
        pushes.take_while(|push| std::future::ready(!push.is_null()))
    }

    /// GET streams that are open.
    pub fn listeners(&self) -> usize {
        self.pushes.receiver_count()
    }

    /// How often this tool ran.
    pub fn ran(&self, tool: &str) -> usize {
        self.nature().ran.get(tool).copied().unwrap_or_default()
    }

    /// The messages with this method, also those that were refused.
    pub fn seen(&self, method: &str) -> Vec<Seen> {
        self.those(|seen| seen.method() == method)
    }

    /// The requests with this HTTP method.
    pub fn seen_http(&self, method: &Method) -> Vec<Seen> {
        self.those(|seen| seen.http == method)
    }

    fn those(&self, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let nature = self.nature();
        nature.seen.iter().filter(|seen| wanted(seen)).cloned().collect()
    }

    /// Whether the request has a session that it knows, which a DELETE ends.
    fn knows(&self, seen: &Seen) -> bool {
        let id = seen.headers.get("mcp-session-id");
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
        let sessions = &mut self.nature().sessions;
        if seen.http == Method::DELETE {
            return sessions.remove(id);
        }
        sessions.contains(id)
    }
}

async fn handle(State(server): State<McpServer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response(); // cut on its way
    };
    let raw = String::from_utf8_lossy(&bytes).into_owned();
    let seen = Seen {
        http: parts.method,
        headers: parts.headers,
        body: serde_json::from_str(&raw).unwrap_or_else(|_| raw::without_arguments(&raw)),
        raw,
    };
    server.nature().seen.push(seen.clone());
    let scripted = server.nature().reaction(seen.http.as_str());
    if let Some(reaction) = scripted {
        return reaction.happen(&server, &seen).await;
    }
    if let Some(answer) = modern::answer(&server, &seen).await {
        return answer;
    }
    if seen.method() == "initialize" {
        return initialize(&server, &seen).await;
    }
    if !server.knows(&seen) {
        let (status, text) = server.nature().unknown_session;
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, text).into_response();
    }
    match seen.http {
        Method::POST => answer(&server, &seen).await,
        Method::GET => listen(&server, &seen),
        _ => StatusCode::OK.into_response(),
    }
}

async fn initialize(server: &McpServer, seen: &Seen) -> Response {
    let slow = server.nature().slow_start;
    tokio::time::sleep(slow).await;
    let mut nature = server.nature();
    let id = format!("session-{}", nature.seen.len());
    nature.sessions.insert(id.clone());
    let mut capabilities = nature.capabilities();
    if nature.tasks.is_some() {
        capabilities["tasks"] = json!({"requests": {"tools": {"call": {}}}});
    }
    let version = match nature.version {
        "" => seen.body["params"]["protocolVersion"].clone(),
        version => version.into(),
    };
    let result = json!({"protocolVersion": version, "capabilities": capabilities,
        "serverInfo": {"name": "fake", "version": "1"}, "instructions": "Be kind."});
    let body = json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result});
    ([("mcp-session-id", id)], json_body(body.to_string())).into_response()
}

/// What the test wants done with this message. A tool that is called is counted.
fn scripted(server: &McpServer, seen: &Seen) -> Option<Reaction> {
    let key = match seen.method() {
        "tools/call" => {
            let tool = seen.body["params"]["name"].as_str().unwrap_or_default();
            *server.nature().ran.entry(tool.to_owned()).or_default() += 1;
            tool
        }
        method => method,
    };
    server.nature().reaction(key)
}

async fn answer(server: &McpServer, seen: &Seen) -> Response {
    let id = &seen.body["id"];
    if let Some(answer) = task::answer(server, seen) {
        return json_body(answer.to_string());
    }
    let scripted = scripted(server, seen);
    if scripted.is_none()
        && let Some(answer) = content::answer(server, seen)
    {
        return content_body(id, answer);
    }
    let reaction = match (scripted, seen.method()) {
        (Some(reaction), _) => reaction,
        (None, "tools/list") => return json_body(response(id, &list(server, seen).to_string())),
        (None, "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe") => {
            Reaction::Result("{}")
        }
        (None, "tools/call") => Reaction::Result(r#"{"content":[]}"#),
        (None, "tasks/result") => Reaction::Result(task::RESULT),
        (None, _) => return StatusCode::ACCEPTED.into_response(),
    };
    let token = &seen.body["params"]["_meta"]["progressToken"];
    reaction.under(token).happen(server, seen).await
}

fn list(server: &McpServer, seen: &Seen) -> Value {
    let nature = server.nature();
    let at = seen.body["params"]["cursor"].as_str().unwrap_or("0");
    let at: usize = at.parse().expect("a cursor of its own");
    let page = if nature.page == 0 { usize::MAX } else { nature.page };
    let tools: Vec<_> = nature.tools.iter().skip(at).take(page).collect();
    let next = at.saturating_add(page);
    let mut result = json!({"tools": tools});
    if next < nature.tools.len() {
        result["nextCursor"] = next.to_string().into();
    }
    result
}

fn listen(server: &McpServer, seen: &Seen) -> Response {
    if seen.headers.contains_key("last-event-id") {
        return match server.nature().resumed.take() {
            Some(response) => events(Body::from(format!("id: 2\ndata: {response}\n\n"))),
            None => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    said(server.pushed())
}

/// A stream of these messages.
fn said(messages: impl Stream<Item = Value> + Send + 'static) -> Response {
    let written = messages.map(|message| Ok::<_, Infallible>(format!("data: {message}\n\n")));
    events(Body::from_stream(written))
}

/// A JSON-RPC response with this raw result.
fn response(id: &Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn content_body(id: &Value, answer: Result<Value, (i64, &'static str)>) -> Response {
    match answer {
        Ok(result) => json_body(response(id, &result.to_string())),
        Err((code, message)) => {
            let error = json!({"code": code, "message": message});
            json_body(json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string())
        }
    }
}

fn json_body(text: String) -> Response {
    ([("content-type", "application/json")], text).into_response()
}

fn events(body: Body) -> Response {
    ([("content-type", "text/event-stream")], body).into_response()
}
