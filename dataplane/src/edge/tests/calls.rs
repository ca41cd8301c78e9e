//! Ordinary calls: what goes to the server, what comes back, and what a broken server costs.

use std::time::Duration;

use asyncmcp_fakes::eventually;
use axum::body::Body;
use futures::StreamExt as _;
use serde_json::json;

use super::example::{NOTE, RESULT};
use super::gateway::{Gateway, Reply};
use crate::tests::route::SOON;

/// A silence that a test can wait for.
const IMPATIENT: &str = "  transport: {timeout: 300ms}\n";

#[tokio::test]
async fn a_result_comes_back_byte_for_byte() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let reply = client.call(5, "p_echo", json!({})).await;
    assert!(!reply.is_stream());
    assert_eq!(
        reply.body,
        format!(r#"{{"jsonrpc":"2.0","id":5,"result":{RESULT}}}"#)
    );
    assert_eq!(
        gateway.count("mcp_server_operation_duration_seconds", "p_echo"),
        1
    );
}

#[tokio::test]
async fn only_the_name_and_what_is_meant_for_the_gateway_change_on_the_way_in() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let call = concat!(
        r#"{"jsonrpc":"2.0","id":"\u0061","method":"tools/call","params":{"arguments":{ "n":1.00,"n":2 },"#,
        r#""_meta":{"progressToken": 1,"dev.asyncmcp/idempotencyKey":"k","webhookUrl":"x","com.example/y":[ 1 ]},"#,
        r#""task":{},"name":"p_echo","x-other": 1e5}}"#
    );
    assert_eq!(client.post(call).await.status, 200);
    let expect = concat!(
        r#"{"jsonrpc":"2.0","id":"\u0061","method":"tools/call","params":{"arguments":{ "n":1.00,"n":2 },"#,
        r#""_meta":{"progressToken":1,"com.example/y":[ 1 ]},"task":{},"name":"echo","x-other":1e5}}"#
    );
    assert_eq!(gateway.hears("tools/call").await.raw, expect);
}

#[tokio::test]
async fn a_trace_that_is_not_valid_does_not_reach_the_server() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let meta = json!({"traceparent": "x".repeat(70_000), "tracestate": "a=1", "baggage": "b".repeat(9000)});
    client.call(1, "p_echo", json!({"_meta": meta})).await;
    let heard = gateway.server.seen("tools/call").pop().unwrap();
    for name in ["traceparent", "tracestate", "baggage"] {
        assert!(!heard.headers.contains_key(name), "{name}");
    }
    assert_eq!(heard.body["params"].get("_meta"), None);
}

#[tokio::test]
async fn the_callers_trace_goes_on_to_the_server() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    client
        .call(1, "p_echo", json!({"_meta": {"traceparent": trace}}))
        .await;
    let heard = gateway.server.seen("tools/call").pop().unwrap();
    assert_eq!(heard.headers["traceparent"], trace);
    assert_eq!(heard.body["params"]["_meta"]["traceparent"], trace);
}

#[tokio::test]
async fn a_stream_is_relayed_event_by_event() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let asked = json!({"_meta": {"progressToken": "t"}});
    let reply = client.call(6, "p_progress", asked).await;
    assert!(reply.is_stream());
    let last = format!(r#"{{"jsonrpc":"2.0","id":6,"result":{RESULT}}}"#);
    assert_eq!(reply.messages(), [NOTE, &last]);
}

#[tokio::test]
async fn progress_that_the_client_did_not_ask_for_is_dropped() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let last = format!(r#"{{"jsonrpc":"2.0","id":6,"result":{RESULT}}}"#);
    for asked in [json!({}), json!({"_meta": {"progressToken": 0}})] {
        let reply = client.call(6, "p_progress", asked).await;
        assert_eq!(reply.messages(), [&last]);
    }
}

#[tokio::test]
async fn a_route_of_json_responses_gives_the_response_alone() {
    let gateway = Gateway::start("  transport: {jsonResponse: true}\n").await;
    let client = gateway.client(json!({})).await;
    let reply = client.call(6, "p_progress", json!({})).await;
    assert!(!reply.is_stream());
    assert_eq!(reply.json()["id"], 6);
    let reply = client.call(7, "p_asks", json!({})).await.json();
    assert_eq!(reply["result"]["answer"]["error"]["code"], -32601);
    let told = gateway.server.seen("initialize");
    assert!(
        told.iter()
            .all(|heard| heard.body["params"]["capabilities"]["sampling"].is_null()
                || heard.body["params"]["clientInfo"]["name"] != "test")
    );
}

#[tokio::test]
async fn a_servers_question_gets_the_clients_answer() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let mut stream = client.stream(8, "p_asks").await.into_body().into_data_stream();
    let _primes = stream.next().await.unwrap().unwrap();
    let event = stream.next().await.unwrap().unwrap();
    let event = String::from_utf8(event.to_vec()).unwrap();
    let data = event
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    let question: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(question["method"], "sampling/createMessage");
    assert_ne!(question["id"], 77, "another server's 77 would be mistaken for it");
    assert!(
        data.contains(r#""params":{"x":1.0}"#) || data.contains(r#""params":{ "x":1.0 }"#),
        "{data}"
    );
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{ "role":"assistant" }}}}"#,
        question["id"]
    );
    assert_eq!(client.post(answer).await.status, 202);
    let last = stream.next().await.unwrap().unwrap();
    let last = String::from_utf8(last.to_vec()).unwrap();
    assert!(last.contains(r#""answer":{"id":77,"#), "{last}");
}

#[tokio::test]
async fn errors_of_servers_and_of_the_way_to_them() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    for (tool, code) in [
        ("p_refuses", -1),
        ("p_breaks", -31003),
        ("p_falls_over", -31001),
        ("p_unknown", -32602),
        ("echo", -32602),
    ] {
        let reply = client.call(9, tool, json!({})).await;
        let body = reply.messages().pop().unwrap_or(&reply.body);
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (reply.status.as_u16(), &body["error"]["code"], &body["id"]),
            (200, &json!(code), &json!(9)),
            "{tool}"
        );
        assert!(
            !reply.body.contains("secret words") && !reply.body.contains("401"),
            "{tool}"
        );
    }
    let reply = client.call(9, "p_refuses", json!({})).await;
    assert!(reply.body.contains(r#""data":[ 1.0 ]"#), "{reply:?}");
    assert_eq!(
        client
            .post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#)
            .await
            .refusal(),
        (200, -32602)
    );
}

#[tokio::test]
async fn a_silent_server_is_told_to_stop_and_the_client_what_to_change() {
    let gateway = Gateway::start(IMPATIENT).await;
    let client = gateway.client(json!({})).await;
    for (id, tool) in [(10, "p_mute"), (11, "p_stalls")] {
        let reply = client.call(id, tool, json!({})).await;
        assert!(
            reply.body.contains("-31002") && reply.body.contains("transport.timeout"),
            "{reply:?}"
        );
        assert!(reply.body.contains("webhookTools"), "{reply:?}");
        eventually(SOON, async || {
            let cancelled = gateway.server.seen("notifications/cancelled");
            cancelled
                .iter()
                .any(|seen| seen.body["params"]["requestId"] == id)
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_restarted_costs_a_client_nothing() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    assert_eq!(client.call(1, "p_echo", json!({})).await.json()["id"], 1);
    gateway.server.forget_sessions();
    assert_eq!(client.call(2, "p_echo", json!({})).await.json()["id"], 2);
    assert_eq!(gateway.server.ran("echo"), 2, "each call ran once");
}

#[tokio::test]
async fn a_call_goes_on_without_its_client() {
    let gateway = Gateway::start(IMPATIENT).await;
    let client = gateway.client(json!({})).await;
    let mut stream = client.stream(12, "p_asks").await.into_body().into_data_stream();
    let _primes = stream.next().await.unwrap().unwrap();
    let first = stream.next().await.unwrap().unwrap();
    drop(stream);
    let data = String::from_utf8(first.to_vec()).unwrap();
    let data = data
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap()
        .to_owned();
    let question: serde_json::Value = serde_json::from_str(&data).unwrap();
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {}}).to_string();
    assert_eq!(client.post(answer).await.status, 202);
    // Had the client's leaving cut the call, the tool would not have lived to see the answer.
    eventually(SOON, async || gateway.server.nature().answered == 1).await;
    let measured = |label| gateway.count("mcp_server_operation_duration_seconds", label);
    let ended = async {
        while measured("p_asks") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), ended)
        .await
        .expect("the call should end");
    assert_eq!(measured("outcome_unknown"), 0, "it ended with the response");
}

#[tokio::test]
async fn a_cancellation_goes_to_the_servers_of_its_session_only() {
    let gateway = Gateway::start("").await;
    let (client, other) = (gateway.client(json!({})).await, gateway.client(json!({})).await);
    let _running = client.stream(13, "p_stalls").await;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":13}}"#;
    assert_eq!(other.post(cancel).await.status, 202);
    assert!(gateway.server.seen("notifications/cancelled").is_empty());
    assert_eq!(client.post(cancel).await.status, 202);
    gateway.hears("notifications/cancelled").await;
    assert_eq!(gateway.server.seen("notifications/cancelled").len(), 1);
}

#[tokio::test]
async fn a_route_that_is_being_deleted_takes_no_calls() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    gateway.delete_route();
    let reply = client.call(1, "p_echo", json!({})).await;
    assert_eq!(reply.refusal(), (200, -31004));
    assert!(reply.json()["error"]["data"]["retryAfterMs"].is_u64());
}

#[tokio::test]
async fn a_get_of_a_client_and_its_calls_do_not_mix() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    let standing = client.with_method("GET").await;
    let reply = Reply::read(client.stream(14, "p_progress").await).await;
    assert!(reply.body.contains("\"id\":14"), "{reply:?}");
    gateway.edge.closing.cancel();
    let standing = Reply::read(standing.map(Body::new)).await;
    assert_eq!(standing.body, "");
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_no_202() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    client.call(1, "p_echo", json!({})).await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/hang"}"#;
    let reply = tokio::time::timeout(Duration::from_secs(5), client.post(note)).await;
    assert_eq!(reply.expect("an answer at once").status, 202);
    gateway.hears("notifications/hang").await;
}

#[tokio::test]
async fn calls_that_run_on_after_their_client_left_are_counted_and_bounded() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    drop(client.stream(1, "p_stalls").await);
    let calls = &gateway.edge.calls.in_progress.calls;
    assert_eq!(calls.count(), 1, "nobody reads its answer, and it runs on");
    let others = (0..1023).map(|n: u32| calls.take(&n.to_string(), 0));
    let held: Vec<_> = others.collect::<Option<_>>().unwrap();
    let refused = client.call(2, "p_echo", json!({})).await;
    assert_eq!(refused.refusal(), (200, -31004));
    assert!(refused.json()["error"]["data"]["retryAfterMs"].is_u64());
    drop(held);
    assert_eq!(client.call(3, "p_echo", json!({})).await.json()["id"], 3);
}

#[tokio::test]
async fn a_call_that_has_ended_is_not_counted_any_more() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    for id in 0..300 {
        let reply = client.call(id, "p_echo", json!({})).await;
        assert!(reply.json()["result"].is_object(), "{reply:?}");
    }
}

#[tokio::test]
async fn notifications_that_a_server_does_not_take_are_bounded() {
    let gateway = Gateway::start("").await;
    let client = gateway.client(json!({})).await;
    client.call(1, "p_echo", json!({})).await;
    let large = "x".repeat(3 << 20);
    let hangs = format!(r#"{{"jsonrpc":"2.0","method":"notifications/hang","params":{{"x":"{large}"}}}}"#);
    for _ in 0..5 {
        assert_eq!(client.post(hangs.clone()).await.status, 202);
    }
    let refused = client.post(hangs.clone()).await;
    assert_eq!(refused.refusal(), (503, -31004));
    assert_eq!(refused.headers["retry-after"], "5");
    let other = gateway.client(json!({})).await;
    assert_eq!(
        other.post(hangs).await.status,
        202,
        "another client has a share of its own"
    );
}
