//! One server, well and ill, as a client of it sees it.

mod lenient;

use std::time::Duration;

use asyncmcp_fakes::mcp::{McpServer, Reaction};
use asyncmcp_protocol::{Id, Message, RawObject, Request};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::lines;
use super::{Error, Events, Outgoing, Received, ServerSession, Upstream};
use crate::caller::trace::TraceHeaders;
use crate::tests::route::{client, config, upstreams};

/// The default of `maxResponseSize`.
const MAX_RESPONSE: usize = 16 << 20;
/// How a server of 2024 begins its stream.
const ENDPOINT: &str = "event: endpoint\ndata: /messages?id=1\n\n";

fn upstream(url: &str, timeout: &str) -> Upstream {
    let (upstreams, _) = upstreams(&format!(
        "servers: [{{name: s, url: \"{url}\", timeout: {timeout}}}]"
    ));
    upstreams.get("s").unwrap()
}

async fn session(fake: &McpServer) -> ServerSession {
    upstream(&fake.url(), "10s")
        .open(&client(1).introduction())
        .await
        .unwrap()
}

fn call(tool: &str) -> Outgoing {
    let mut params = RawObject::new();
    params.set_value("name", tool);
    let request = Request::new(Id::number(5), "tools/call", Some(params));
    Outgoing {
        id: Some(Id::number(5)),
        ..Outgoing::new("tools/call", request.to_bytes())
    }
}

async fn post(fake: &McpServer, reaction: Reaction) -> Result<Received, Error> {
    fake.on("t", [reaction]);
    session(fake).await.post(call("t")).await
}

async fn events(fake: &McpServer, reaction: Reaction) -> Box<Events> {
    match post(fake, reaction).await {
        Ok(Received::Stream(events)) => events,
        other => panic!("a stream, not {other:?}"),
    }
}

#[tokio::test]
async fn every_message_carries_session_version_and_trace_and_nothing_else_of_a_client() {
    let fake = McpServer::start(&["t"]).await;
    fake.nature().version = "2025-03-26";
    let session = session(&fake).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut from = HeaderMap::new();
    from.insert("traceparent", parent.parse().unwrap());
    for name in ["tracestate", "baggage", "authorization", "cookie", "x-client"] {
        from.insert(name, "x=1".parse().unwrap());
    }
    let trace = TraceHeaders::of(&from);
    session.post(Outgoing { trace, ..call("t") }).await.unwrap();
    let called = fake.seen("tools/call").pop().unwrap();
    assert_eq!(called.headers["mcp-session-id"].to_str().ok(), session.id());
    assert_eq!(
        called.headers["mcp-protocol-version"], "2025-03-26",
        "what the server chose"
    );
    assert_eq!(called.headers["accept"], "application/json, text/event-stream");
    assert_eq!(called.headers["traceparent"], parent);
    for absent in ["authorization", "cookie", "x-client", "accept-encoding"] {
        assert!(!called.headers.contains_key(absent), "{absent}");
    }
    assert_eq!(fake.seen("notifications/initialized").len(), 1);
}

#[tokio::test]
async fn a_json_answer_and_a_stream_come_as_they_were_written() {
    let fake = McpServer::start(&["t"]).await;
    let Ok(Received::Json(body)) = post(&fake, Reaction::Result(r#"{ "n":1e400,"a" : 1}"#)).await else {
        panic!("JSON")
    };
    assert_eq!(body, r#"{"jsonrpc":"2.0","id":5,"result":{ "n":1e400,"a" : 1}}"#);
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress"});
    let mut events = events(
        &fake,
        Reaction::Stream(vec![progress.to_string()], r#"{ "n":1e400}"#),
    )
    .await;
    let first = events.next().await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&first.raw).unwrap(), progress);
    let last = events.next().await.unwrap().unwrap();
    assert_eq!(last.raw, r#"{"jsonrpc":"2.0","id":5,"result":{ "n":1e400}}"#);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn an_unknown_session_is_told_from_other_refusals() {
    let fake = McpServer::start(&["t"]).await;
    let session = session(&fake).await;
    fake.forget_sessions();
    for (status, text) in [
        (404, ""),
        (
            400,
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#,
        ),
        (
            400,
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}"#,
        ),
    ] {
        fake.nature().unknown_session = (status, text);
        let error = session.post(call("t")).await.unwrap_err();
        assert!(matches!(error, Error::SessionLost), "{status} {text}: {error}");
        assert!(error.not_dispatched());
    }
}

#[tokio::test]
async fn an_http_error_stays_on_our_side_and_says_whether_the_call_may_have_run() {
    let fake = McpServer::start(&["t"]).await;
    for (status, may_have_run) in [
        (400, true),
        (401, false),
        (403, true),
        (405, false),
        (500, true),
        (502, true),
        (307, true),
    ] {
        let error = post(&fake, Reaction::Status(status, "who are you?"))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Rejected { status: said, .. } if said == status),
            "{error}"
        );
        assert_eq!(!error.not_dispatched(), may_have_run, "{status}");
    }
    let error = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"no such tool"}}"#;
    for status in [400, 404, 422, 500, 503] {
        let answer = post(&fake, Reaction::Status(status, error)).await;
        assert!(
            matches!(answer, Ok(Received::Json(_))),
            "a JSON-RPC error for the request is its answer"
        );
    }
    let other = error.replace("ID", "\"server-error\"").leak();
    assert!(matches!(
        post(&fake, Reaction::Status(400, other)).await,
        Err(Error::Rejected { status: 400, .. })
    ));
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let error = upstream("http://127.0.0.1:1/mcp", "10s")
        .open(&client(1).introduction())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotSent(_)) && error.not_dispatched());
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_stream_that_breaks_without_an_event_id_may_have_run() {
    let fake = McpServer::start(&["t"]).await;
    let mut events = events(&fake, Reaction::Breaks(None, None)).await;
    let error = events.next().await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Broken(_)) && !error.not_dispatched(),
        "{error}"
    );
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_breaks_after_an_event_id_is_taken_up_again() {
    let fake = McpServer::start(&["t"]).await;
    let mut events = events(&fake, Reaction::Breaks(Some("e 1"), Some("{}"))).await;
    let Message::Response(_) = events.next().await.unwrap().unwrap().message else {
        panic!("the response")
    };
    assert!(events.next().await.is_none());
    let [resumed] = &fake.seen_http(&Method::GET)[..] else {
        panic!("one GET")
    };
    assert_eq!(resumed.headers["last-event-id"], "e 1");
}

#[tokio::test]
async fn a_stream_that_cannot_be_taken_up_again_may_have_run() {
    let fake = McpServer::start(&["t"]).await;
    let mut events = events(&fake, Reaction::Breaks(Some("e"), None)).await;
    fake.forget_sessions();
    let error = events.next().await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Interrupted) && !error.not_dispatched(),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_held_in_memory() {
    let fake = McpServer::start(&["t"]).await;
    let bytes = MAX_RESPONSE;
    let json = post(&fake, Reaction::Big { bytes, stream: false }).await;
    assert!(matches!(json, Err(Error::TooLarge { limit: MAX_RESPONSE })));
    let event = events(&fake, Reaction::Big { bytes, stream: true })
        .await
        .next()
        .await
        .unwrap();
    assert!(matches!(event, Err(Error::TooLarge { limit: MAX_RESPONSE })));
    let bytes = MAX_RESPONSE - 100;
    assert!(matches!(
        post(&fake, Reaction::Big { bytes, stream: false }).await,
        Ok(Received::Json(_))
    ));
}

#[tokio::test]
async fn the_route_says_how_large_an_answer_may_be() {
    let fake = McpServer::start(&["t"]).await;
    let (upstreams, _change) = upstreams(&format!(
        "servers: [{{name: s, url: \"{}\", maxResponseSize: 1Ki}}]",
        fake.url()
    ));
    let session = upstreams
        .get("s")
        .unwrap()
        .open(&client(1).introduction())
        .await
        .unwrap();
    for (bytes, fits) in [(2048, false), (512, true)] {
        fake.on("t", [Reaction::Big { bytes, stream: false }]);
        let answer = session.post(call("t")).await;
        assert_eq!(matches!(answer, Ok(Received::Json(_))), fits, "{answer:?}");
        assert_eq!(matches!(answer, Err(Error::TooLarge { limit: 1024 })), !fits);
    }
}

#[tokio::test]
async fn a_silent_server_is_waited_for_as_long_as_the_route_says() {
    let fake = McpServer::start(&["t"]).await;
    fake.on("t", [Reaction::Hangs]);
    let line = lines::visiting(&upstream(&fake.url(), "100ms"));
    let mut params = RawObject::new();
    params.set_value("name", "t");
    let error = line.ask("tools/call", Some(params)).await.unwrap_err();
    assert!(matches!(error, Error::Silent(limit) if limit == Duration::from_millis(100)));
}

#[tokio::test]
async fn a_server_without_a_standalone_stream_is_no_error() {
    let fake = McpServer::start(&["t"]).await;
    fake.on("GET", [Reaction::Status(405, "")]);
    assert!(session(&fake).await.listen().await.unwrap().is_none());
}

#[tokio::test]
async fn servers_that_cannot_be_used_are_told_apart() {
    let client = client(1).introduction();
    let open = async |says: Reaction| {
        let url = McpServer::that_says(says).await.url();
        upstream(&url, "5s").open(&client).await.unwrap_err()
    };
    let old = Reaction::body("text/event-stream", ENDPOINT);
    assert!(
        matches!(open(old).await, Error::Interrupted),
        "a POST that opens a stream is no refusal"
    );
    let modern = r#"{"jsonrpc":"2.0","id":"asyncmcp:0","error":{"code":-32022,"message":"too old"}}"#;
    let refused = open(Reaction::Status(400, modern)).await;
    assert!(matches!(refused, Error::Refused(words) if words == "-32022 too old"));
    let error = open(Reaction::Status(401, "who are you?")).await;
    assert!(matches!(error, Error::Rejected { status: 401, .. }) && error.is_rejection());
    let page = Reaction::body("text/html", "<html>");
    assert!(matches!(open(page).await, Error::Protocol(_)));
    let fake = McpServer::start(&[]).await;
    fake.nature().version = "2024-11-05";
    let error = upstream(&fake.url(), "5s").open(&client).await.unwrap_err();
    assert!(matches!(error, Error::Version(version) if version == "2024-11-05"));
}

#[tokio::test]
async fn a_server_of_2024_is_recognised_by_its_endpoint_event() {
    let fake = McpServer::that_says(Reaction::Status(405, "")).await;
    fake.on("GET", [Reaction::body("text/event-stream", ENDPOINT)]);
    let error = upstream(&fake.url(), "5s")
        .open(&client(1).introduction())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::LegacySseTransport) && error.is_rejection(),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_did_not_change_outlives_a_change_of_the_route() {
    let servers =
        "servers: [{name: a, url: \"http://127.0.0.1:1/mcp\"}, {name: b, url: \"http://127.0.0.1:2/mcp\"}]";
    let (upstreams, change) = upstreams(servers);
    let (a, b) = (upstreams.get("a").unwrap(), upstreams.get("b").unwrap());
    let moved = servers
        .replace(":2/", ":3/")
        .replace("name: a,", "name: a, toolPrefix: x_,");
    change.send_replace(config(&moved));
    assert!(upstreams.get("a").unwrap().is(&a), "a prefix is no connection");
    assert!(!upstreams.get("b").unwrap().is(&b));
    change.send_replace(config("servers: [{name: a, url: \"http://127.0.0.1:1/mcp\"}]"));
    assert!(upstreams.get("b").is_none());
    assert_eq!(upstreams.all().len(), 1);
}

#[tokio::test]
async fn a_busy_server_dispatched_nothing_only_where_the_route_vouches_for_it() {
    let fake = McpServer::start(&["t"]).await;
    for (vouched, status, not_dispatched) in [
        ("", 503, false),
        (", notDispatched: [429]", 503, false),
        (", notDispatched: [503]", 503, true),
        (", notDispatched: [429, 503]", 429, true),
    ] {
        let (upstreams, _change) = upstreams(&format!(
            "servers: [{{name: s, url: \"{}\"{vouched}}}]",
            fake.url()
        ));
        fake.on("t", [Reaction::Status(status, "busy")]);
        let line = lines::visiting(&upstreams.get("s").unwrap());
        let error = line.send(call("t")).await.unwrap_err();
        assert_eq!(
            error.not_dispatched(),
            not_dispatched,
            "{vouched} {status}: {error}"
        );
    }
}

#[tokio::test]
async fn retry_after_is_seconds_or_a_date_by_the_servers_own_clock() {
    let date = "Fri, 27 Nov 2026 08:00:00 GMT";
    for (asked, wait) in [
        ("7", 7),
        (" 7 ", 7),
        ("Fri, 27 Nov 2026 08:02:00 GMT", 120),
        ("Thu, 26 Nov 2026 08:00:00 GMT", 0),
        ("99999999999999999999999", u64::MAX),
        ("soon", 0),
    ] {
        let busy = Reaction::Http(429, vec![("retry-after", asked), ("date", date)], "");
        let fake = McpServer::that_says(busy).await;
        let error = upstream(&fake.url(), "5s")
            .open(&client(1).introduction())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{asked}: {error}");
        assert_eq!(error.retry_after(), Duration::from_secs(wait), "{asked}");
    }
}
