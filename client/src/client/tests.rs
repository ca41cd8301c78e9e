//! The client against a scripted server.

use asyncmcp_fakes::mcp::{McpServer, Reaction, Seen, tool};
use asyncmcp_fakes::unused_port;

use super::*;
use crate::{BearerToken, Header};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream; charset=utf-8";

/// A server and a client with a session.
struct Fixture {
    client: Client,
    server: McpServer,
}

/// A server whose tool `t` reacts like this.
async fn connect(reaction: Reaction, config: Config) -> Fixture {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = McpServer::start(&["t"]).await;
    server.nature().version = "2025-06-18";
    server.on("t", [reaction]);
    let server_url = server.url();
    let client = Client::connect(&Config { server_url, ..config }).await.unwrap();
    Fixture { client, server }
}

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
    let fixture = connect(Reaction::Hangs, config).await;
    assert_eq!(fixture.client.server().server_info.name, "fake");
    fixture.client.close().await.unwrap();
    let requests = &fixture.server.nature().seen;
    let (initialize, later) = requests.split_first().unwrap();
    assert!(
        initialize
            .raw
            .contains(r#""_meta":{"webhookUrl":"http://localhost:1/webhook"}"#)
    );
    assert!(!initialize.headers.contains_key("mcp-session-id"));
    assert_eq!(later.len(), 2);
    for Seen { headers, raw, .. } in later {
        assert_eq!(headers["mcp-session-id"], "session-1", "{raw}");
        assert_eq!(headers["mcp-protocol-version"], "2025-06-18", "{raw}");
        assert_eq!(headers["x-client-id"], "me", "{raw}");
    }
}

#[tokio::test]
async fn added_headers_go_with_every_request_and_authorization_is_set_once() {
    let headers = ["Authorization: Basic c2VjcmV0", "X-Team: search"];
    let config = Config {
        headers: headers.map(|line| Header::parse(line).unwrap()).into(),
        ..Config::default()
    };
    let fixture = connect(Reaction::Hangs, config.clone()).await;
    fixture.client.close().await.unwrap();
    for Seen { headers, raw, .. } in &fixture.server.nature().seen {
        assert_eq!(headers["authorization"], "Basic c2VjcmV0", "{raw}");
        assert_eq!(headers["x-team"], "search", "{raw}");
    }
    let both = Config {
        server_url: fixture.server.url(),
        bearer_token: Some(BearerToken::new("token")),
        ..config
    };
    let refused = Client::connect(&both).await.err().unwrap().to_string();
    assert!(refused.contains("use one of the two"), "{refused}");
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
    let fixture = connect(Reaction::body(SSE, stream), Config::default()).await;
    let (answer, steps) = call(&fixture).await;
    let Ok(Answer::Result(result)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(result.get(), r#"{"content":[ ],"big":12345678901234567890}"#);
    assert_eq!(
        (steps.len(), steps[0].total, steps[0].message.as_deref()),
        (1, Some(3.0), Some("one"))
    );
    let sent = fixture.server.seen("tools/call").pop().unwrap().raw;
    assert!(
        sent.contains(r#""arguments":{ "n":1.50 },"_meta":{"progressToken":1}"#),
        "{sent}"
    );
}

#[tokio::test]
async fn both_kinds_of_acknowledgement_are_distinguished_from_a_result() {
    let fixture = connect(
        Reaction::Http(202, vec![("webhook-id", "msg_1")], ""),
        Config::default(),
    )
    .await;
    let (answer, _) = call(&fixture).await;
    let ids_of = |answer| match answer {
        Ok(Answer::Acknowledged { id, job, webhook_id }) => (id, job, webhook_id),
        other => unreachable!("{other:?}"),
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(ids_of(answer), (Id::number(1), None, text("msg_1")));
    let named = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"_meta":{"dev.asyncmcp/job":{"id":"01j","status":"working","webhookId":"msg_2"}}}}"#;
    let fixture = connect(Reaction::body(JSON, named), Config::default()).await;
    let (answer, _) = call(&fixture).await;
    assert_eq!(ids_of(answer), (Id::number(1), text("01j"), text("msg_2")));
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
        let fixture = connect(
            Reaction::Http(status, vec![("content-type", JSON)], body),
            Config::default(),
        )
        .await;
        let error = call(&fixture).await.0.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_the_response_is_an_error() {
    let fixture = connect(Reaction::body(SSE, ": bye\n\n"), Config::default()).await;
    assert!(matches!(call(&fixture).await.0, Err(Error::NoResponse)));
}

#[tokio::test]
async fn a_silent_server_makes_the_call_fail() {
    let fixture = connect(Reaction::Hangs, Config::default()).await;
    tokio::time::pause();
    assert!(matches!(call(&fixture).await.0, Err(Error::Silent(_))));
}

#[tokio::test]
async fn an_expired_session_sends_nothing() {
    let config = Config {
        transport_timeout_seconds: Some(60.0),
        ..Config::default()
    };
    let fixture = connect(Reaction::Status(202, ""), config).await;
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
    let fixture = connect(Reaction::body(SSE, stream), Config::default()).await;
    call(&fixture).await.0.unwrap();
    let [ping, roots] = &fixture.server.seen("")[..] else {
        panic!("two answers")
    };
    assert_eq!(ping.raw, r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
    assert_eq!(roots.body["error"]["code"], -32601);
}

#[tokio::test]
async fn all_pages_of_the_tool_list_are_read() {
    let fixture = connect(Reaction::Hangs, Config::default()).await;
    fixture.server.nature().tools.push(tool("u"));
    fixture.server.nature().page = 1;
    let tools = fixture.client.list_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(Tool::name).collect();
    assert_eq!(names, ["t", "u"]);
    assert_eq!(fixture.server.seen("tools/list").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_retried_as_often_as_configured() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config {
        server_url: format!("http://127.0.0.1:{}/mcp", unused_port()),
        max_retries: 3,
        ..Config::default()
    };
    let begin = Instant::now();
    let refused = Client::connect(&config).await.err().unwrap();
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    assert_eq!(begin.elapsed().as_millis() / 100, 6); // 100 + 200 + 300 ms
}
