//! An MCP server on loopback that does as a test tells it, faults included.
//!
//! The tests of everything towards servers use it. Invariant: it speaks HTTP for real, so
//! what is tested is what a server would see.

mod route;
pub(crate) mod task;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

pub(crate) use self::route::{SOON, client, config, store, upstreams};

/// What happens to a `tools/call`.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    /// A JSON body with this raw result.
    Result(&'static str),
    /// A stream of these messages and then this raw result.
    Stream(Vec<Value>, &'static str),
    /// A stream that says `retry` and this event id, if any, and breaks; a GET with
    /// `Last-Event-ID` then brings this raw result, if any.
    Breaks(Option<&'static str>, Option<&'static str>),
    /// Nothing ever.
    Hangs,
    /// An HTTP error with this body.
    Status(u16, &'static str),
    /// A result of so many bytes, as JSON or as an event.
    Big { bytes: usize, stream: bool },
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) http: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
}

/// What the server is like. Change it at any time.
pub(crate) struct Nature {
    pub(crate) version: &'static str,
    pub(crate) tools: Vec<Value>,
    /// Tools on one page of the list.
    pub(crate) page: usize,
    pub(crate) reactions: HashMap<String, Vec<Reaction>>,
    /// What a request with an unknown session gets.
    pub(crate) unknown_session: (u16, &'static str),
    /// Whether a GET opens a stream; 405 if not.
    pub(crate) listens: bool,
    /// How long `initialize` takes.
    pub(crate) slow_start: Duration,
    /// What every POST gets instead of an answer.
    pub(crate) closed: Option<u16>,
    /// The statuses of its task, in turn; `None` where it offers no tasks.
    pub(crate) tasks: Option<Vec<&'static str>>,
    pub(crate) sessions: HashSet<String>,
    pub(crate) seen: Vec<Seen>,
    resumed: Option<String>,
}

/// The server. It serves until the runtime ends.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    nature: Arc<Mutex<Nature>>,
    pushes: broadcast::Sender<String>,
}

/// A tool of this name.
pub(crate) fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}})
}

impl Fake {
    /// With tools of these names.
    pub(crate) async fn start(tools: &[&str]) -> Self {
        Self::at("127.0.0.1:0", tools).await
    }

    /// On an address where nobody listens yet.
    pub(crate) async fn at(address: &str, tools: &[&str]) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let nature = Nature {
            version: "2025-11-25",
            tools: tools.iter().map(|name| tool(name)).collect(),
            page: 100,
            reactions: HashMap::new(),
            unknown_session: (404, "Session not found"),
            listens: true,
            slow_start: Duration::ZERO,
            closed: None,
            tasks: None,
            sessions: HashSet::new(),
            seen: Vec::new(),
            resumed: None,
        };
        let fake = Self {
            address: listener.local_addr().unwrap(),
            nature: Arc::new(Mutex::new(nature)),
            pushes: broadcast::Sender::new(16),
        };
        let router = axum::Router::new().fallback(handle).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn nature(&self) -> MutexGuard<'_, Nature> {
        self.nature.lock().unwrap()
    }

    /// Calls of `tool` get these reactions, one each; the last one for ever.
    pub(crate) fn on(&self, tool: &str, reactions: impl Into<Vec<Reaction>>) {
        self.nature().reactions.insert(tool.to_owned(), reactions.into());
    }

    /// A restart as a client sees it.
    pub(crate) fn forget_sessions(&self) {
        self.nature().sessions.clear();
    }

    /// Says this on every open GET stream.
    pub(crate) fn push(&self, message: &Value) {
        let _ = self.pushes.send(format!("data: {message}\n\n"));
    }

    /// GET streams that are open.
    pub(crate) fn listeners(&self) -> usize {
        self.pushes.receiver_count()
    }

    /// The messages with this method.
    pub(crate) fn seen(&self, method: &str) -> Vec<Seen> {
        self.nature()
            .seen
            .iter()
            .filter(|seen| seen.method() == method)
            .cloned()
            .collect()
    }

    /// The requests with this HTTP method.
    pub(crate) fn seen_http(&self, method: &Method) -> Vec<Seen> {
        self.nature()
            .seen
            .iter()
            .filter(|seen| seen.http == method)
            .cloned()
            .collect()
    }
}

async fn handle(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let seen = Seen {
        http: parts.method,
        headers: parts.headers,
        body,
    };
    fake.nature().seen.push(seen.clone());
    if seen.http == Method::POST
        && let Some(status) = fake.nature().closed
    {
        return (
            StatusCode::from_u16(status).unwrap(),
            [("retry-after", "7")],
            "<html>no</html>",
        )
            .into_response();
    }
    if seen.method() == "initialize" {
        return initialize(&fake, &seen).await;
    }
    let session = seen
        .headers
        .get("mcp-session-id")
        .map(|id| id.to_str().unwrap().to_owned());
    if !session
        .as_ref()
        .is_some_and(|id| fake.nature().sessions.contains(id))
    {
        let (status, text) = fake.nature().unknown_session;
        return (StatusCode::from_u16(status).unwrap(), text).into_response();
    }
    match seen.http {
        Method::POST => answer(&fake, &seen).await,
        Method::GET => listen(&fake, &seen),
        _ => {
            fake.nature().sessions.remove(&session.unwrap());
            StatusCode::OK.into_response()
        }
    }
}

async fn initialize(fake: &Fake, seen: &Seen) -> Response {
    let slow = fake.nature().slow_start;
    tokio::time::sleep(slow).await;
    let mut nature = fake.nature();
    let id = format!("session-{}", nature.seen.len());
    nature.sessions.insert(id.clone());
    let mut capabilities = json!({"tools": {}});
    if nature.tasks.is_some() {
        capabilities["tasks"] = json!({"requests": {"tools": {"call": {}}}});
    }
    let result = json!({"protocolVersion": nature.version, "capabilities": capabilities,
        "serverInfo": {"name": "fake", "version": "1"}, "instructions": "Be kind."});
    let body = json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result}).to_string();
    (
        [
            ("mcp-session-id", id),
            ("content-type", "application/json".to_owned()),
        ],
        body,
    )
        .into_response()
}

async fn answer(fake: &Fake, seen: &Seen) -> Response {
    let id = seen.body["id"].to_string();
    if let Some(answer) = task::answer(fake, seen, &id).await {
        return answer;
    }
    match seen.method() {
        "tools/list" => list(fake, seen, &id),
        "ping" => json_body(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)),
        "tools/call" => {
            let reaction = {
                let mut nature = fake.nature();
                let name = seen.body["params"]["name"].as_str().unwrap_or_default();
                match nature.reactions.get_mut(name) {
                    None => Reaction::Result(r#"{"content":[]}"#),
                    Some(reactions) if reactions.len() > 1 => reactions.remove(0),
                    Some(reactions) => reactions[0].clone(),
                }
            };
            react(fake, &id, reaction).await
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

fn list(fake: &Fake, seen: &Seen, id: &str) -> Response {
    let nature = fake.nature();
    let at: usize = seen.body["params"]["cursor"]
        .as_str()
        .map_or(0, |cursor| cursor.parse().unwrap());
    let page: Vec<_> = nature.tools.iter().skip(at).take(nature.page).collect();
    let mut result = json!({"tools": page});
    if at + nature.page < nature.tools.len() {
        result["nextCursor"] = (at + nature.page).to_string().into();
    }
    json_body(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
}

async fn react(fake: &Fake, id: &str, reaction: Reaction) -> Response {
    let response = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    match reaction {
        Reaction::Result(result) => json_body(response(result)),
        Reaction::Stream(messages, result) => {
            let events: Vec<_> = messages
                .iter()
                .map(|message| {
                    format!(
                        "data: {message}

"
                    )
                })
                .collect();
            stream(vec![Ok(format!(
                "{}data: {}\n\n",
                events.concat(),
                response(result)
            ))])
        }
        Reaction::Breaks(event, resumed) => {
            fake.nature().resumed = resumed.map(response);
            let first = event.map_or_else(
                || ": hello\n\n".to_owned(),
                |id| format!("retry: 10\nid: {id}\ndata:\n\n"),
            );
            stream(vec![Ok(first), Err(std::io::Error::other("cut"))])
        }
        Reaction::Hangs => std::future::pending().await,
        Reaction::Status(status, text) => {
            (StatusCode::from_u16(status).unwrap(), text.replace("ID", id)).into_response()
        }
        Reaction::Big { bytes, stream: false } => json_body(response(&format!("\"{}\"", "x".repeat(bytes)))),
        Reaction::Big { bytes, stream: true } => {
            let event = response(&format!("\"{}\"", "x".repeat(bytes)));
            stream(vec![Ok(format!("data: {event}\n\n"))])
        }
    }
}

fn listen(fake: &Fake, seen: &Seen) -> Response {
    if seen.headers.contains_key("last-event-id") {
        return match fake.nature().resumed.take() {
            Some(response) => stream(vec![Ok(format!("id: 2\ndata: {response}\n\n"))]),
            None => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    if !fake.nature().listens {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let pushes = BroadcastStream::new(fake.pushes.subscribe()).map(|push| push.map(Bytes::from));
    ([("content-type", "text/event-stream")], Body::from_stream(pushes)).into_response()
}

fn stream(chunks: Vec<std::io::Result<String>>) -> Response {
    let chunks = futures::stream::iter(chunks).then(|chunk| async {
        tokio::task::yield_now().await; // what came before an error is sent before it
        tokio::time::sleep(Duration::from_millis(u64::from(chunk.is_err()) * 20)).await;
        chunk
    });
    ([("content-type", "text/event-stream")], Body::from_stream(chunks)).into_response()
}

fn json_body(text: String) -> Response {
    ([("content-type", "application/json")], text).into_response()
}
