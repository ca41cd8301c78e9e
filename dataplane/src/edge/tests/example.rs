//! An MCP server on loopback whose tools behave well and badly, and which remembers what it heard.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use asyncmcp_protocol::sse;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::watch;

/// A result that no parser would write like this, and that no relay may change.
pub(super) const RESULT: &str = "{ \"content\":[ {\"type\":\"text\",\"text\":\"\\u0061\"} ], \"big\": 12345678901234567890123, \"zero\":1.00 }";

/// What it hears from itself when the tool `asks` got its answer and was not cut before.
pub(super) const FINISHED: &str = "example/finished";

/// The server. It ends with the test's runtime.
#[derive(Clone)]
pub(super) struct Example(Arc<Inner>);

struct Inner {
    url: String,
    heard: watch::Sender<Vec<Heard>>,
    generation: AtomicU32,
    raw: Mutex<Vec<Bytes>>,
}

/// A message that came.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Example {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let example = Self(Arc::new(Inner {
            url: format!("http://{}/mcp", listener.local_addr().unwrap()),
            heard: watch::Sender::new(Vec::new()),
            generation: AtomicU32::new(1),
            raw: Mutex::default(),
        }));
        let methods = MethodRouter::new().post(post).delete(|| async { StatusCode::OK });
        let router = Router::new().route("/mcp", methods).with_state(example.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        example
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// From now on its sessions are unknown, as after a restart.
    pub(super) fn restart(&self) {
        self.0.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The messages of this method so far.
    pub(super) fn heard(&self, method: &str) -> Vec<Heard> {
        let all = self.0.heard.borrow();
        all.iter()
            .filter(|heard| heard.body["method"] == method)
            .cloned()
            .collect()
    }

    /// Waits for the first message that is `wanted`.
    pub(super) async fn hears(&self, wanted: impl Fn(&Value) -> bool) -> Heard {
        let mut heard = self.0.heard.subscribe();
        let wait = heard.wait_for(|all| all.iter().any(|heard| wanted(&heard.body)));
        let all = tokio::time::timeout(std::time::Duration::from_secs(5), wait).await;
        let all = all.expect("the server should have heard it").unwrap();
        all.iter().find(|heard| wanted(&heard.body)).unwrap().clone()
    }

    /// The bytes of the last `tools/call`.
    pub(super) fn last_call(&self) -> String {
        let raw = self.0.raw.lock().unwrap();
        let call = raw
            .iter()
            .rev()
            .find(|raw| String::from_utf8_lossy(raw).contains("tools/call"));
        String::from_utf8(call.expect("a call").to_vec()).unwrap()
    }

    fn note(&self, headers: HeaderMap, body: Value) {
        self.0.heard.send_modify(|all| all.push(Heard { headers, body }));
    }

    fn session(&self) -> String {
        format!("session-{}", self.0.generation.load(Ordering::SeqCst))
    }
}

async fn post(State(example): State<Example>, headers: HeaderMap, raw: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&raw).unwrap();
    let known = headers
        .get("mcp-session-id")
        .is_none_or(|id| *id == *example.session());
    if !known {
        return StatusCode::NOT_FOUND.into_response();
    }
    example.0.raw.lock().unwrap().push(raw);
    example.note(headers, body.clone());
    match body["method"].as_str() {
        Some("initialize") => initialize(&example, &body),
        Some("tools/list") => result(&body["id"], &json!({"tools": tools()}).to_string()),
        Some("tools/call") => call(example, &body),
        Some("notifications/hang") => std::future::pending().await,
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

fn initialize(example: &Example, body: &Value) -> Response {
    let version = &body["params"]["protocolVersion"];
    let about = json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "example", "version": "1"},
    });
    let mut response = result(&body["id"], &about.to_string());
    response
        .headers_mut()
        .insert("mcp-session-id", example.session().parse().unwrap());
    response
}

fn tools() -> Vec<Value> {
    let names = [
        "echo",
        "progress",
        "asks",
        "mute",
        "stalls",
        "refuses",
        "breaks",
        "falls_over",
        "batch",
        "safe_batch",
    ];
    let tool = |name: &str| {
        let hints = json!({"idempotentHint": name.starts_with("safe")});
        json!({"name": name, "description": name, "inputSchema": {"type": "object"}, "annotations": hints})
    };
    names.into_iter().map(tool).collect()
}

fn call(example: Example, body: &Value) -> Response {
    let id = body["id"].clone();
    match body["params"]["name"].as_str().unwrap() {
        "progress" => events(progress(&id)),
        "asks" => events(asks(example, id)),
        "mute" => {
            let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
            answer("application/json", Body::from_stream(never))
        }
        "stalls" => events(futures::stream::pending()),
        "refuses" => {
            let error = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-1,"message":"no","data":[ 1.0 ]}}}}"#
            );
            answer("application/json", Body::from(error))
        }
        "breaks" => events(futures::stream::empty()),
        "falls_over" => (StatusCode::UNAUTHORIZED, "secret words").into_response(),
        _ => result(&id, RESULT),
    }
}

fn progress(id: &Value) -> impl Stream<Item = String> + Send + 'static {
    let note = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1.0}}"#;
    futures::stream::iter([note.to_owned(), response(id, RESULT)])
}

/// Asks its client for a sample and ends with the answer.
fn asks(example: Example, id: Value) -> impl Stream<Item = String> + Send + 'static {
    let question = r#"{"jsonrpc":"2.0","id":77,"method":"sampling/createMessage","params":{ "x":1.0 }}"#;
    let answered = async move {
        let answer = example
            .hears(|body| body["id"] == 77 && body["method"].is_null())
            .await;
        example.note(HeaderMap::new(), json!({"method": FINISHED}));
        response(&id, &json!({"content": [], "answer": answer.body}).to_string())
    };
    futures::stream::iter([question.to_owned()]).chain(futures::stream::once(answered))
}

fn response(id: &Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn result(id: &Value, result: &str) -> Response {
    answer("application/json", Body::from(response(id, result)))
}

fn events(messages: impl Stream<Item = String> + Send + 'static) -> Response {
    let bytes = messages.map(|message| Ok::<_, std::io::Error>(sse::message(message.as_bytes())));
    answer("text/event-stream", Body::from_stream(bytes))
}

fn answer(kind: &'static str, body: Body) -> Response {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}
