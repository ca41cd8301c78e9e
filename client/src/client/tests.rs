//! The client against an endpoint with scripted responses.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response as HttpResponse};
use axum::routing::{delete, post};
use http::{HeaderMap, StatusCode};
use tokio::task::JoinSet;

use super::*;

/// The response to a POST of each method: status, content type, body.
type Script = &'static [(&'static str, u16, &'static str, &'static str)];

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream; charset=utf-8";

#[derive(Clone)]
struct Endpoint {
    script: Script,
    requests: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

/// A running endpoint and a client with a session.
struct Fixture {
    client: Client,
    endpoint: Endpoint,
    _server: JoinSet<()>,
}

async fn connect(script: Script, config: Config) -> Result<Fixture, Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let endpoint = Endpoint {
        script,
        requests: Arc::default(),
    };
    let app = Router::new()
        .route("/mcp", post(answer))
        .route("/mcp", delete(end))
        .with_state(endpoint.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server_url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, app).await.unwrap() });
    let client = Client::connect(&Config { server_url, ..config }).await?;
    Ok(Fixture {
        client,
        endpoint,
        _server: server,
    })
}

async fn answer(State(endpoint): State<Endpoint>, headers: HeaderMap, body: String) -> HttpResponse {
    let message = Message::parse(body.as_bytes()).unwrap();
    endpoint.requests.lock().unwrap().push((headers, body));
    let cursor = message.params().and_then(|params| params.text("cursor"));
    let method = [message.method(), cursor.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    if let Some((_, status, kind, body)) = endpoint.script.iter().find(|line| line.0 == method) {
        let status = StatusCode::from_u16(*status).unwrap();
        return (status, [("content-type", *kind)], *body).into_response();
    }
    match method.as_str() {
        "initialize" => ([("mcp-session-id", "s1"), ("content-type", JSON)], INITIALIZED).into_response(),
        "silent" | "tools/call" => std::future::pending().await,
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn end(State(endpoint): State<Endpoint>, headers: HeaderMap) -> StatusCode {
    endpoint.requests.lock().unwrap().push((headers, "DELETE".into()));
    StatusCode::OK
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}"#;

fn arguments() -> Box<RawValue> {
    RawValue::from_string(r#"{ "n":1.50 }"#.to_owned()).unwrap()
}

async fn call(fixture: &Fixture) -> (Result<Answer, Error>, Vec<Progress>) {
    let mut steps = Vec::new();
    let answer = fixture
        .client
        .call_tool("t", arguments(), |step| steps.push(step))
        .await;
    (answer, steps)
}

#[tokio::test]
async fn every_request_after_initialize_names_the_session_and_its_version() {
    let config = Config {
        webhook_url: Some("http://localhost:1/webhook".into()),
        client_id: Some("me".into()),
        ..Config::default()
    };
    let fixture = connect(&[], config).await.unwrap();
    assert_eq!(fixture.client.server().server_info.name, "s");
    fixture.client.close().await.unwrap();
    let requests = fixture.endpoint.requests.lock().unwrap();
    let (initialize, later) = requests.split_first().unwrap();
    assert!(
        initialize
            .1
            .contains(r#""_meta":{"webhookUrl":"http://localhost:1/webhook"}"#)
    );
    assert!(!initialize.0.contains_key("mcp-session-id"));
    assert_eq!(later.len(), 2);
    for (headers, body) in later {
        assert_eq!(headers["mcp-session-id"], "s1", "{body}");
        assert_eq!(headers["mcp-protocol-version"], "2025-06-18", "{body}");
        assert_eq!(headers["x-client-id"], "me", "{body}");
    }
}

#[tokio::test]
async fn a_streamed_response_reports_progress_and_then_the_unchanged_result() {
    let stream = concat!(
        ": ping\n\nid: 1\ndata:\n\n",
        "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":",
        "{\"progressToken\":1,\"progress\":1,\"total\":3.0,\"message\":\"one\"}}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\r\n\r\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[ ],\"big\":12345678901234567890}}\n\n",
    );
    let script: Script = Box::leak(Box::new([("tools/call", 200, SSE, stream)]));
    let fixture = connect(script, Config::default()).await.unwrap();
    let (answer, steps) = call(&fixture).await;
    let Ok(Answer::Result(result)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(result.get(), r#"{"content":[ ],"big":12345678901234567890}"#);
    assert_eq!(
        (steps.len(), steps[0].total, steps[0].message.as_deref()),
        (1, Some(3.0), Some("one"))
    );
    let requests = fixture.endpoint.requests.lock().unwrap();
    let sent = &requests.last().unwrap().1;
    assert!(
        sent.contains(r#""arguments":{ "n":1.50 },"_meta":{"progressToken":1}"#),
        "{sent}"
    );
}

#[tokio::test]
async fn both_kinds_of_acknowledgement_are_distinguished_from_a_result() {
    let fixture = connect(&[("tools/call", 202, JSON, "")], Config::default())
        .await
        .unwrap();
    let (answer, _) = call(&fixture).await;
    assert!(matches!(answer, Ok(Answer::Acknowledged { id, job: None }) if id == Id::number(1)));
    let named = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"_meta":{"dev.asyncmcp/job":{"id":"01j","status":"working"}}}}"#;
    let script: Script = Box::leak(Box::new([("tools/call", 200, JSON, named)]));
    let fixture = connect(script, Config::default()).await.unwrap();
    let (answer, _) = call(&fixture).await;
    assert!(matches!(answer, Ok(Answer::Acknowledged { job: Some(job), .. }) if job == "01j"));
}

#[tokio::test]
async fn errors_contain_what_the_server_responded() {
    let rpc =
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-31004,"message":"full","data":{"reason":"overloaded"}}}"#;
    for (status, body, expected) in [
        (200, rpc, "error -31004: full"),
        (503, rpc, "error -31004: full"),
        (413, "too much", "HTTP 413: too much"),
        (404, "", "the session has expired"),
        (200, "{", "the response is not a JSON-RPC message"),
    ] {
        let script: Script = Box::leak(Box::new([("tools/call", status, JSON, body)]));
        let fixture = connect(script, Config::default()).await.unwrap();
        let error = call(&fixture).await.0.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_the_response_is_an_error() {
    let fixture = connect(&[("tools/call", 200, SSE, ": bye\n\n")], Config::default())
        .await
        .unwrap();
    assert!(matches!(call(&fixture).await.0, Err(Error::NoResponse)));
}

#[tokio::test]
async fn a_silent_server_makes_the_call_fail() {
    let fixture = connect(&[], Config::default()).await.unwrap();
    tokio::time::pause();
    assert!(matches!(call(&fixture).await.0, Err(Error::Silent(_))));
}

#[tokio::test]
async fn an_expired_session_sends_nothing() {
    let config = Config {
        transport_timeout_seconds: Some(60.0),
        ..Config::default()
    };
    let fixture = connect(&[("tools/call", 202, JSON, "")], config).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    assert!(matches!(call(&fixture).await.0, Err(Error::SessionOver)));
}

#[tokio::test]
async fn requests_of_the_server_are_answered_during_a_call() {
    let stream = concat!(
        "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"roots/list\"}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
    );
    let script: Script = Box::leak(Box::new([("tools/call", 200, SSE, stream)]));
    let fixture = connect(script, Config::default()).await.unwrap();
    call(&fixture).await.0.unwrap();
    let requests = fixture.endpoint.requests.lock().unwrap();
    let [.., (_, ping), (_, roots)] = requests.as_slice() else {
        panic!()
    };
    assert_eq!(ping, r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
    assert!(roots.contains("-32601"), "{roots}");
}

#[tokio::test]
async fn all_pages_of_the_tool_list_are_read() {
    let first = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"nextCursor":"more"}}"#;
    let second = r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"b"}]}}"#;
    let script: Script = Box::leak(Box::new([
        ("tools/list", 200, JSON, first),
        ("tools/list more", 200, JSON, second),
    ]));
    let fixture = connect(script, Config::default()).await.unwrap();
    let tools = fixture.client.list_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(Tool::name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_retried_as_often_as_configured() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config {
        server_url: format!("http://{}/mcp", listener.local_addr().unwrap()),
        max_retries: 3,
        ..Config::default()
    };
    drop(listener);
    let begin = Instant::now();
    let refused = Client::connect(&config).await.err().unwrap();
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    assert_eq!(begin.elapsed().as_millis() / 100, 6); // 100 + 200 + 300 ms
}
