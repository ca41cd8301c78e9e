//! Servers that do not keep to the letter of the protocol, and are understood all the same.

use super::*;

#[tokio::test]
async fn an_error_with_any_status_that_says_so_ends_the_session_and_is_the_answer() {
    let fake = McpServer::start(&["t"]).await;
    let lost = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"Session not found"}}"#;
    let event: &str = format!("data: {lost}\n\n").leak();
    let of_the_tool = lost.replace("-32000", "-32602").leak();
    let result = r#"{"jsonrpc":"2.0","id":ID,"result":{"isError":true,"content":[{"type":"text","text":"error: Session not found"}]}}"#;
    for (kind, body, ends) in [
        ("application/json", lost, true),
        ("text/event-stream", event, true),
        ("application/json", of_the_tool, false),
        ("application/json", result, false),
    ] {
        fake.on("t", [Reaction::body(kind, body)]);
        let (called, line) = (fake.ran("t"), lines::visiting(&upstream(&fake.url(), "10s")));
        match line.send(call("t")).await.unwrap() {
            Received::Stream(mut events) => drop(events.next().await.unwrap().unwrap()),
            Received::Json(answer) => assert!(answer.ends_with(b"}}")),
            Received::Nothing => panic!("no answer: {body}"),
        }
        let opened = fake.seen("initialize").len();
        line.ping().await.unwrap();
        assert_eq!(fake.ran("t") - called, 1, "not sent again: {body}");
        assert_eq!(fake.seen("initialize").len() > opened, ends, "{body}");
    }
}

#[tokio::test]
async fn a_ping_that_is_answered_so_is_a_lost_session() {
    let fake = McpServer::start(&["t"]).await;
    let lost = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32001,"message":"Session expired"}}"#;
    fake.on("ping", [Reaction::Status(200, lost)]);
    let line = lines::visiting(&upstream(&fake.url(), "10s"));
    assert!(matches!(line.ping().await, Err(Error::SessionLost)));
}

#[tokio::test]
async fn a_last_event_without_its_empty_line_counts_where_it_is_a_response() {
    let fake = McpServer::start(&["t"]).await;
    let response = r#"data: {"jsonrpc":"2.0","id":ID,"result":{"n":[ 1 ]}}"#;
    for end in ["", "\n", "\r\n"] {
        let stream: &str = format!("{response}{end}").leak();
        let mut events = events(&fake, Reaction::body("text/event-stream", stream)).await;
        let last = events.next().await.unwrap().unwrap();
        assert_eq!(last.raw, r#"{"jsonrpc":"2.0","id":5,"result":{"n":[ 1 ]}}"#);
        assert!(events.next().await.is_none());
    }
    let note = r#"data: {"jsonrpc":"2.0","method":"notifications/progress"}"#;
    for other in [&response[..response.len() - 1], note] {
        let mut events = events(&fake, Reaction::body("text/event-stream", other)).await;
        let error = events.next().await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{other}: {error}");
    }
}

#[tokio::test]
async fn an_http_error_says_what_to_change() {
    for (status, header, advice) in [
        (
            307,
            ("location", "/mcp/"),
            "/mcp/, which is not followed; set the server's url to that",
        ),
        (421, ("x", "x"), "set host of the server to a name that it allows"),
        (401, ("www-authenticate", "Bearer"), "it asks for credentials"),
    ] {
        let fake = McpServer::that_says(Reaction::Http(status, vec![header], "no")).await;
        let opening = upstream(&fake.url(), "5s").open(&client(1).introduction()).await;
        let error = opening.unwrap_err();
        assert!(
            error.is_rejection() && error.to_string().contains(advice),
            "{error}"
        );
    }
}
