//! Clients' sessions over servers that restart, ask and fall silent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use asyncmcp_delivery::store::memory::Memory;
use asyncmcp_delivery::store::{SessionRows as _, Store};
use asyncmcp_fakes::eventually;
use asyncmcp_fakes::mcp::{McpServer, Reaction};
use asyncmcp_protocol::subscriptions::List;
use asyncmcp_protocol::{Id, Message, Request, Response};
use bytes::Bytes;
use futures::future::join_all;
use futures::{Stream, StreamExt as _};
use http::Method;
use serde_json::{Value, json};

use super::{Lines, Wrap};
use crate::caller::Caller;
use crate::caller::session::seal::Ring;
use crate::servers::{Error, Outgoing, Received};
use crate::tests::route::{SOON, client, store, upstreams};

fn over(fakes: &[(&str, &McpServer)], store: &Arc<Memory>) -> Lines {
    keeping(super::MOST, fakes, store)
}

fn keeping(most: usize, fakes: &[(&str, &McpServer)], store: &Arc<Memory>) -> Lines {
    let servers = fakes
        .iter()
        .map(|(name, fake)| format!("- {{name: {name}, url: \"{}\"}}", fake.url()));
    let (upstreams, _) = upstreams(&format!("servers:\n{}", servers.collect::<Vec<_>>().join("\n")));
    let wrap = Wrap::new(Arc::new(Ring::random()), "r".to_owned());
    Lines::keeping(most, upstreams, store.clone() as Arc<dyn Store>, wrap)
}

fn call(id: u64) -> Outgoing {
    let params = asyncmcp_protocol::RawObject::parse(br#"{"name":"t"}"#).unwrap();
    let request = Request::new(Id::number(id), "tools/call", Some(params));
    Outgoing {
        id: Some(Id::number(id)),
        ..Outgoing::new("tools/call", request.to_bytes())
    }
}

async fn send(lines: &Lines, who: &Caller, id: u64) -> Result<Received, Error> {
    lines.of(who, "a")?.send(call(id)).await
}

/// Opens the session of `who` on `server`.
async fn open(lines: &Lines, who: &Caller, server: &str) -> Result<(), Error> {
    lines.of(who, server)?.about().await.map(drop)
}

async fn next(stream: &mut (impl Stream<Item = Bytes> + Unpin)) -> Option<Value> {
    let next = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    next.expect("a message within ten seconds")
        .map(|message| serde_json::from_slice(&message).unwrap())
}

#[tokio::test]
async fn many_calls_at_once_open_one_session_in_the_clients_name() {
    let fake = McpServer::start(&["t"]).await;
    let lines = over(&[("a", &fake)], &store());
    let who = client(1);
    let answers = join_all((0..20).map(|id| send(&lines, &who, id))).await;
    assert!(answers.iter().all(Result::is_ok));
    let [initialize] = &fake.seen("initialize")[..] else {
        panic!("one session")
    };
    let said = &initialize.body["params"];
    assert_eq!(said["protocolVersion"], "2025-06-18");
    assert_eq!(said["clientInfo"], json!({"name": "agent", "version": "7"}));
    assert_eq!(said["capabilities"], json!({"roots": {}}));
}

#[tokio::test]
async fn a_restarted_server_costs_one_new_session_and_every_call_runs_once() {
    let fake = McpServer::start(&["t"]).await;
    fake.nature().unknown_session = (
        400,
        r#"{"error":{"message":"Bad Request: No valid session ID provided"}}"#,
    );
    let lines = over(&[("a", &fake)], &store());
    let who = client(1);
    open(&lines, &who, "a").await.unwrap();
    fake.forget_sessions();
    fake.nature().seen.clear();
    let answers = join_all((0..20).map(|id| send(&lines, &who, id))).await;
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(Received::Json(_))))
    );
    assert_eq!(fake.seen("initialize").len(), 1);
    assert_eq!(fake.ran("t"), 20, "each was dispatched once");
}

#[tokio::test]
async fn a_server_that_forgets_at_once_is_not_asked_a_third_time() {
    let fake = McpServer::start(&["t"]).await;
    fake.on("t", [Reaction::Status(404, "Session not found")]);
    let lines = over(&[("a", &fake)], &store());
    let answer = send(&lines, &client(1), 1).await;
    assert!(matches!(answer, Err(Error::SessionLost)), "{answer:?}");
    assert_eq!(fake.seen("tools/call").len(), 2);
}

#[tokio::test]
async fn a_restarted_data_plane_goes_on_with_the_servers_session() {
    let fake = McpServer::start(&["t"]).await;
    let (store, who) = (store(), client(1));
    send(&over(&[("a", &fake)], &store), &who, 1).await.unwrap();
    let later = over(&[("a", &fake)], &store);
    send(&later, &who, 2).await.unwrap();
    assert_eq!(fake.seen("initialize").len(), 1);
    let calls = fake.seen("tools/call");
    assert_eq!(
        calls[0].headers["mcp-session-id"],
        calls[1].headers["mcp-session-id"]
    );
    // What an earlier process opened is listened to, too.
    let mut stream = Box::pin(later.stream(&who));
    eventually(SOON, async || fake.listeners() == 1).await;
    fake.push(&json!({"jsonrpc": "2.0", "method": "notifications/message"}));
    assert_eq!(
        next(&mut stream).await.unwrap()["method"],
        "notifications/message"
    );
}

#[tokio::test]
async fn a_revoked_session_ends_at_the_servers_and_stays_revoked() {
    let fake = McpServer::start(&["t"]).await;
    let (store, who) = (store(), client(1));
    let lines = over(&[("a", &fake)], &store);
    open(&lines, &who, "a").await.unwrap();
    let mut stream = Box::pin(lines.stream(&who));
    assert!(!lines.is_revoked(&who).await.unwrap());
    lines.revoke(&who).await.unwrap();
    assert!(next(&mut stream).await.is_none());
    assert!(lines.is_revoked(&who).await.unwrap());
    assert!(over(&[("a", &fake)], &store).is_revoked(&who).await.unwrap());
    assert!(!lines.is_revoked(&client(2)).await.unwrap());
    eventually(SOON, async || fake.seen_http(&Method::DELETE).pop()).await;
}

#[tokio::test]
async fn a_stream_merges_the_servers_that_offer_one_as_they_open_and_the_newest_wins() {
    let (one, two, mute) = (
        McpServer::start(&["t"]).await,
        McpServer::start(&["t"]).await,
        McpServer::start(&["t"]).await,
    );
    mute.on("GET", [Reaction::Status(405, "")]);
    let lines = over(&[("one", &one), ("two", &two), ("mute", &mute)], &store());
    let who = client(1);
    open(&lines, &who, "one").await.unwrap();
    let mut old = Box::pin(lines.stream(&who));
    let mut stream = Box::pin(lines.stream(&who));
    assert!(next(&mut old).await.is_none(), "the newest wins");
    open(&lines, &who, "two").await.unwrap();
    open(&lines, &who, "mute").await.unwrap();
    for (fake, name) in [(&one, "one"), (&two, "two")] {
        eventually(SOON, async || fake.listeners() == 1).await;
        fake.push(&json!({"jsonrpc": "2.0", "method": name}));
        assert_eq!(next(&mut stream).await.unwrap()["method"], name);
    }
    lines.list_changed(List::Tools);
    assert_eq!(
        next(&mut stream).await.unwrap()["method"],
        "notifications/tools/list_changed"
    );
    assert_eq!(mute.seen_http(&Method::GET).len(), 1, "a 405 is not asked again");
    drop(stream);
    eventually(SOON, async || one.listeners() + two.listeners() == 0).await;
}

#[tokio::test]
async fn a_stream_brings_the_progress_of_calls_that_asked_for_it_and_no_other() {
    let fake = McpServer::start(&["t"]).await;
    let (lines, who) = (over(&[("a", &fake)], &store()), client(1));
    open(&lines, &who, "a").await.unwrap();
    let mut stream = Box::pin(lines.stream(&who));
    eventually(SOON, async || fake.listeners() == 1).await;
    let asking = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":7}}}"#;
    let Ok(Message::Request(asking)) = Message::parse(asking) else {
        panic!("a request")
    };
    let in_progress = lines.of(&who, "a").unwrap().expect_progress(&asking);
    for token in [json!("7"), json!(8), json!(7)] {
        fake.push(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token}}));
    }
    assert_eq!(next(&mut stream).await.unwrap()["params"]["progressToken"], 7);
    drop(in_progress);
    fake.push(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 7}}));
    fake.push(&json!({"jsonrpc": "2.0", "method": "notifications/message"}));
    assert_eq!(
        next(&mut stream).await.unwrap()["method"],
        "notifications/message"
    );
}

#[tokio::test]
async fn a_clients_answer_finds_the_server_that_asked_under_its_own_id() {
    let (one, two) = (McpServer::start(&["t"]).await, McpServer::start(&["t"]).await);
    let lines = over(&[("one", &one), ("two", &two)], &store());
    let who = client(1);
    let mut stream = Box::pin(lines.stream(&who));
    for (fake, name) in [(&one, "one"), (&two, "two")] {
        open(&lines, &who, name).await.unwrap();
        eventually(SOON, async || fake.listeners() == 1).await;
    }
    two.push(&json!({"jsonrpc": "2.0", "id": 1, "method": "roots/list"}));
    let asked = next(&mut stream).await.unwrap();
    assert_ne!(asked["id"], 1);
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}}).to_string();
    let Message::Response(answer) = Message::parse(answer.as_bytes()).unwrap() else {
        panic!("a response")
    };
    assert!(
        lines.answer(&client(2), answer.clone()).await.is_err(),
        "another client's answer"
    );
    lines.answer(&who, answer).await.unwrap();
    let got = two.nature().seen.last().unwrap().body.clone();
    assert_eq!(got, json!({"jsonrpc": "2.0", "id": 1, "result": {"roots": []}}));
    let stray = Response::result(Id::number(1), asyncmcp_protocol::raw::raw(&json!({})));
    assert!(lines.answer(&who, stray).await.is_err());
    assert!(
        one.nature()
            .seen
            .iter()
            .all(|seen| seen.body.get("result").is_none())
    );
}

#[tokio::test]
async fn a_notification_goes_to_every_server_with_a_session_and_opens_none() {
    let (one, two) = (McpServer::start(&["t"]).await, McpServer::start(&["t"]).await);
    let lines = over(&[("one", &one), ("two", &two)], &store());
    let who = client(1);
    open(&lines, &who, "one").await.unwrap();
    let body = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
    lines
        .broadcast(&who, Outgoing::new("notifications/cancelled", body))
        .await;
    assert_eq!(one.seen("notifications/cancelled").len(), 1);
    assert!(two.nature().seen.is_empty());
}

#[tokio::test]
async fn a_name_that_the_route_does_not_have_is_said_so() {
    let fake = McpServer::start(&["t"]).await;
    let lines = over(&[("a", &fake)], &store());
    assert!(matches!(open(&lines, &client(1), "b").await, Err(Error::NoServer(name)) if name == "b"));
}

/// Lets time pass that nobody waits for.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_ended_at_its_server_and_opened_anew_when_used() {
    let fake = McpServer::start(&["t"]).await;
    let (store, idle, listening, calling) = (store(), client(1), client(2), client(3));
    let lines = over(&[("a", &fake)], &store);
    send(&lines, &idle, 1).await.unwrap();
    open(&lines, &listening, "a").await.unwrap();
    let _stream = lines.stream(&listening);
    let _line = lines.of(&calling, "a").unwrap();
    open(&lines, &calling, "a").await.unwrap();
    later(Duration::from_mins(32)).await;
    let ended = eventually(SOON, async || fake.seen_http(&Method::DELETE).pop()).await;
    let calls = fake.seen("tools/call");
    assert_eq!(
        ended.headers["mcp-session-id"],
        calls[0].headers["mcp-session-id"]
    );
    assert_eq!(
        lines.0.entries.lock().unwrap().len(),
        2,
        "one listens, one is in use"
    );
    eventually(SOON, async || {
        (lines.0.sessions.load(Ordering::Relaxed) == 2).then_some(())
    })
    .await;
    send(&lines, &idle, 2).await.unwrap();
    let calls = fake.seen("tools/call");
    assert_eq!(calls.len(), 2, "the ended session is not tried");
    assert_ne!(
        calls[0].headers["mcp-session-id"],
        calls[1].headers["mcp-session-id"]
    );
    assert_eq!(fake.seen_http(&Method::DELETE).len(), 1);
}

#[tokio::test]
async fn a_pause_of_a_person_ends_nothing() {
    let fake = McpServer::start(&["t"]).await;
    let lines = over(&[("a", &fake)], &store());
    send(&lines, &client(1), 1).await.unwrap();
    later(Duration::from_mins(25)).await;
    send(&lines, &client(1), 2).await.unwrap();
    assert_eq!(fake.seen("initialize").len(), 1);
    assert!(fake.seen_http(&Method::DELETE).is_empty());
}

#[tokio::test]
async fn of_too_many_sessions_the_one_that_was_not_used_longest_is_ended() {
    let fake = McpServer::start(&["t"]).await;
    let lines = keeping(4, &[("a", &fake)], &store());
    for who in [1, 2, 3, 4, 1] {
        send(&lines, &client(who), u64::from(who)).await.unwrap();
    }
    let second = fake.seen("tools/call")[1].headers["mcp-session-id"].clone();
    send(&lines, &client(5), 5).await.unwrap();
    let ended = eventually(SOON, async || fake.seen_http(&Method::DELETE).pop()).await;
    assert_eq!(ended.headers["mcp-session-id"], second);
    for who in 6..=50 {
        send(&lines, &client(who), u64::from(who)).await.unwrap();
        assert!(lines.0.entries.lock().unwrap().len() <= 4);
        assert!(lines.0.sessions.load(Ordering::Relaxed) <= 4);
    }
    eventually(SOON, async || {
        (fake.seen_http(&Method::DELETE).len() == 46).then_some(())
    })
    .await;
}

#[tokio::test]
async fn callers_without_a_scope_share_a_session_that_nobody_remembers() {
    let fake = McpServer::start(&["t"]).await;
    let store = store();
    let nobody = Caller {
        scope: None,
        session: None,
        ..client(1)
    };
    let lines = over(&[("a", &fake)], &store);
    send(&lines, &nobody, 1).await.unwrap();
    send(&lines, &nobody, 2).await.unwrap();
    assert_eq!(fake.seen("initialize").len(), 1);
    assert!(store.session([1; 16]).await.unwrap().is_none());
}

#[tokio::test]
async fn what_fails_before_a_session_is_open_was_not_sent() {
    let fake = McpServer::start(&["t"]).await;
    fake.on("POST", [Reaction::of_a_proxy(502)]);
    let error = send(&over(&[("a", &fake)], &store()), &client(1), 1)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::NotOpened(_)) && error.not_dispatched(),
        "{error:?}"
    );
    assert!(fake.seen("tools/call").is_empty());
}
