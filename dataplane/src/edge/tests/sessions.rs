//! A session's life: initialize, its messages, its stream, its end.

use futures::StreamExt as _;
use http::StatusCode;
use serde_json::{Value, json};

use asyncmcp_protocol::subscriptions::List;

use super::gateway::{Gateway, initialize};

#[tokio::test]
async fn initialize_answers_by_itself_and_opens_a_session() {
    let gateway = Gateway::start("").await;
    let own = gateway.server.seen("initialize").len();
    let reply = gateway
        .post(&[], initialize("2025-06-18", &json!({})).to_string())
        .await;
    let result = &reply.json()["result"];
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(
        result["capabilities"],
        json!({"tools": {"listChanged": true}, "prompts": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}, "completions": {}, "logging": {}})
    );
    assert_eq!(result["serverInfo"]["name"], "asyncmcp");
    let id = reply.headers["mcp-session-id"].to_str().unwrap();
    assert!(id.starts_with("v1.") && id.len() < 2048);
    let asked = gateway.server.seen("initialize");
    let for_a_client = asked[own..]
        .iter()
        .filter(|heard| heard.body["params"]["clientInfo"]["name"] == "test");
    assert_eq!(for_a_client.count(), 0, "the server was asked");
}

#[tokio::test]
async fn a_version_that_nobody_knows_gets_the_newest_with_sessions() {
    let gateway = Gateway::start("").await;
    let reply = gateway
        .post(&[], initialize("2031-01-01", &json!({})).to_string())
        .await;
    assert_eq!(reply.json()["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn an_initialize_that_lacks_something_says_what() {
    let gateway = Gateway::start("").await;
    let reply = gateway
        .post(
            &[],
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#,
        )
        .await;
    assert_eq!(reply.refusal(), (200, -32602));
    assert!(reply.body.contains("capabilities"), "{reply:?}");
    assert!(!reply.headers.contains_key("mcp-session-id"));
    let long = format!("https://hooks.example.com/{}", "x".repeat(1024));
    let reply = gateway
        .post(
            &[],
            initialize("2025-11-25", &json!({"webhookUrl": long})).to_string(),
        )
        .await;
    assert_eq!(reply.refusal(), (200, -32602));
    assert!(reply.body.contains("1024"), "{reply:?}");
}

#[tokio::test]
async fn the_methods_that_are_offered_and_the_others() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let reply = client.post(r#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#).await;
    assert_eq!(reply.body, r#"{"jsonrpc":"2.0","id":"x","result":{}}"#);
    let list = client
        .post(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#)
        .await
        .json();
    let names: Vec<_> = list["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert!(names.contains(&&json!("p_echo")), "{names:?}");
    for method in ["tasks/get", "x"] {
        let body = json!({"jsonrpc": "2.0", "id": 3, "method": method}).to_string();
        assert_eq!(client.post(body).await.refusal(), (200, -32601), "{method}");
    }
    assert_eq!(
        gateway.count("mcp_server_operation_duration_seconds", "_OTHER"),
        1,
        "only x is no method of MCP"
    );
}

#[tokio::test]
async fn notifications_are_taken_and_passed_on_to_servers_that_know_the_client() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let initialized = client
        .post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    assert_eq!(
        (initialized.status, initialized.body.as_str()),
        (StatusCode::ACCEPTED, "")
    );
    client.call(1, "p_echo", json!({})).await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":{ "x":1.0 }}"#;
    assert_eq!(client.post(note).await.status, StatusCode::ACCEPTED);
    let passed_on = gateway.hears("notifications/roots/list_changed").await;
    assert_eq!(passed_on.body["params"]["x"], 1.0);
}

#[tokio::test]
async fn an_answer_to_nobodys_question_is_dropped() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let reply = client.post(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#).await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::ACCEPTED, ""));
}

#[tokio::test]
async fn delete_ends_the_session_and_what_it_had_on_servers() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let reply = client.with_method("DELETE").await;
    assert_eq!(reply.status(), StatusCode::OK);
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(client.post(ping).await.refusal(), (404, -32600));
    assert_eq!(client.with_method("GET").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(client.with_method("DELETE").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_newest_stream_takes_the_place_of_the_one_before() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let first = client.with_method("GET").await;
    assert_eq!(first.headers()["content-type"], "text/event-stream");
    assert_eq!(first.headers()["x-accel-buffering"], "no");
    let second = client.with_method("GET").await;
    let mut first = first.into_body().into_data_stream();
    assert!(first.next().await.is_none(), "the first stream should end");
    gateway.edge.calls.lines.list_changed(List::Tools);
    let event = second
        .into_body()
        .into_data_stream()
        .next()
        .await
        .unwrap()
        .unwrap();
    let event = String::from_utf8(event.to_vec()).unwrap();
    assert!(event.contains("notifications/tools/list_changed"), "{event}");
}

#[tokio::test]
async fn standing_streams_end_with_the_process() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let stream = client.with_method("GET").await;
    gateway.edge.closing.cancel();
    assert!(stream.into_body().into_data_stream().next().await.is_none());
}

#[tokio::test]
async fn a_batch_is_answered_by_what_in_it_wants_an_answer() {
    let gateway = Gateway::start("").await;
    let client = gateway.client_of("2025-03-26", json!({})).await;
    let echo = r#"{"jsonrpc":"2.0","id":"e","method":"tools/call","params":{"name":"p_progress"}}"#;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let again = initialize("2025-03-26", &json!({}));
    let reply = client.post(format!("[{echo},{note},5,{again}]")).await;
    let answers: Value = reply.json();
    let answers: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["id"], &one["error"]["code"]))
        .collect();
    let (null, invalid) = (Value::Null, json!(-32600));
    assert_eq!(
        answers,
        [(&json!("e"), &null), (&null, &invalid), (&json!(1), &invalid)]
    );
    let nothing = client.post(format!("[{note},{note}]")).await;
    assert_eq!(
        (nothing.status, nothing.body.as_str()),
        (StatusCode::ACCEPTED, "")
    );
}

#[tokio::test]
async fn a_session_is_refused_while_nobody_can_say_whether_it_was_ended() {
    use asyncmcp_delivery::store::Store as _;
    let gateway = Gateway::start("").await;
    let (known, new) = (gateway.client(json!({})).await, gateway.client(json!({})).await);
    let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
    known.post(ping).await;
    gateway.store.close().await.unwrap();
    assert!(
        known.post(ping).await.json()["result"].is_object(),
        "it is in use"
    );
    let reply = new.post(ping).await;
    assert_eq!(reply.refusal(), (200, -31004));
    assert_eq!(reply.json()["id"], 7);
    let message = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(new.post(message).await.status, 503);
    assert_eq!(new.with_method("GET").await.status(), 503);
    // What a session sets is stored, or it is not set.
    let level = r#"{"jsonrpc":"2.0","id":8,"method":"logging/setLevel","params":{"level":"error"}}"#;
    assert_eq!(known.post(level).await.refusal(), (200, -31004));
    let subscribe = r#"{"jsonrpc":"2.0","id":9,"method":"resources/subscribe","params":{"uri":"u:1"}}"#;
    assert_eq!(known.post(subscribe).await.refusal(), (200, -31004));
    gateway.hears("resources/unsubscribe").await;
}
