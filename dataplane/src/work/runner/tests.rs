//! Jobs on a server that loses sessions, cuts streams and has no room.

use std::time::Duration;

use asyncmcp_delivery::engine::{Begin, Executed, Executor as _, ResumeTokens, Room, Run};
use asyncmcp_delivery::id::JobId;
use asyncmcp_delivery::job::{Call, OnInterruption, Retry, Trace};
use asyncmcp_delivery::state::End;
use asyncmcp_fakes::eventually;
use asyncmcp_fakes::mcp::{McpServer, Reaction};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Runner;
use crate::servers::lines::OwnLines;
use crate::tests::route::{SOON, upstreams};

/// A call of this tool on server `s`.
pub(super) fn call(tool: &str) -> Call {
    Call {
        server: "s".to_owned(),
        tool: tool.to_owned(),
        shown_as: tool.to_owned(),
        request_id: r#""client-1""#.to_owned(),
        client: "c".to_owned(),
        timeout: Duration::from_mins(1),
        on_interruption: OnInterruption::Fail,
        target: None,
        retry: Retry::Schedule {
            waits: Vec::new(),
            jitter_percent: 0,
        },
        trace: Trace::default(),
        as_task: false,
        owner: None,
    }
}

fn may_run_again(tool: &str) -> Call {
    Call {
        on_interruption: OnInterruption::Retry,
        ..call(tool)
    }
}

mod resuming;

const PARAMS: &[u8] = br#"{"name":"shown","arguments":{ "n":1.0e4}}"#;

fn runner(fake: &McpServer) -> Runner {
    let (upstreams, _) = upstreams(&format!("servers: [{{name: s, url: \"{}\"}}]", fake.url()));
    Runner::new(OwnLines::new(upstreams))
}

async fn execute(runner: &Runner, call: &Call) -> Executed {
    runner.execute(run(call, CancellationToken::new())).await
}

/// An execution that begins by sending the call.
fn run(call: &Call, cancel: CancellationToken) -> Run<'_> {
    Run {
        job: JobId::from_bytes([0; 16]),
        call,
        begin: Begin::Send(Bytes::from_static(PARAMS)),
        tokens: ResumeTokens::nowhere(),
        room: Room::default(),
        cancel,
    }
}

#[track_caller]
fn end(executed: Executed) -> (End, String) {
    match executed {
        Executed::Ended { end, body } => (end, String::from_utf8(body.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn result(raw: &str) -> (End, String) {
    (
        End::Result,
        format!(r#"{{"jsonrpc":"2.0","id":"client-1","result":{raw}}}"#),
    )
}

#[tokio::test]
async fn jobs_share_a_session_that_can_do_nothing_and_get_the_servers_bytes() {
    let fake = McpServer::start(&["slow"]).await;
    fake.on(
        "slow",
        [
            Reaction::Result(r#"{ "n":1e400}"#),
            Reaction::Stream(vec![], r#"{ "m":2}"#),
        ],
    );
    let runner = runner(&fake);
    assert_eq!(
        end(execute(&runner, &call("slow")).await),
        result(r#"{ "n":1e400}"#)
    );
    assert_eq!(end(execute(&runner, &call("slow")).await), result(r#"{ "m":2}"#));
    let [initialize] = &fake.seen("initialize")[..] else {
        panic!("one session for both")
    };
    assert_eq!(initialize.body["params"]["capabilities"], json!({}));
    runner.close().await;
    assert_eq!(fake.seen_http(&Method::DELETE).len(), 1);
}

#[tokio::test]
async fn a_stream_that_ends_with_half_a_line_end_brings_its_result() {
    let fake = McpServer::start(&["slow"]).await;
    let last = "data: {\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{ \"n\":1e400}}";
    fake.on("slow", [Reaction::body("text/event-stream", last)]);
    let executed = execute(&runner(&fake), &call("slow")).await;
    assert_eq!(end(executed), result(r#"{ "n":1e400}"#));
    assert_eq!(fake.ran("slow"), 1);
}

#[tokio::test]
async fn a_server_error_is_the_result_of_the_job() {
    let fake = McpServer::start(&["slow"]).await;
    let error = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-5,"message":"no","data":{ }}}"#;
    fake.on("slow", [Reaction::Status(400, error)]);
    let (end, body) = end(execute(&runner(&fake), &call("slow")).await);
    let expected = r#"{"jsonrpc":"2.0","id":"client-1","error":{"code":-5,"message":"no","data":{ }}}"#;
    assert_eq!((end, body.as_str()), (End::Error, expected));
}

#[tokio::test]
async fn a_lost_session_is_replaced_and_the_call_sent_once_more() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    execute(&runner, &call("slow")).await;
    fake.forget_sessions();
    assert_eq!(end(execute(&runner, &call("slow")).await).0, End::Result);
    assert_eq!(fake.seen("initialize").len(), 2);
    assert_eq!(
        fake.seen("tools/call").len(),
        3,
        "one of three was not dispatched"
    );
}

/// Each of its sessions is replaced by a new one, never by another old one, so no job waits for a back-off.
#[tokio::test]
async fn after_a_restart_of_its_server_no_job_waits_however_many_sessions_were_idle() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    let call = call("slow");
    let at_once = || futures::future::join_all((0..4).map(|_| execute(&runner, &call)));
    at_once().await;
    fake.forget_sessions();
    for executed in at_once().await {
        assert_eq!(end(executed).0, End::Result);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_has_no_room_was_sent_nothing() {
    let fake = McpServer::start(&["slow"]).await;
    fake.on("POST", [Reaction::of_a_proxy(503)]);
    let busy = execute(&runner(&fake), &call("slow")).await;
    let (retry_after, is_away) = (Duration::from_secs(7), true);
    assert_eq!(busy, Executed::NotSent { retry_after, is_away });
    let (nobody, _) = upstreams("servers: [{name: s, url: \"http://127.0.0.1:1/mcp\"}]");
    let refused = execute(&Runner::new(OwnLines::new(nobody)), &call("slow")).await;
    let retry_after = Duration::ZERO;
    assert_eq!(refused, Executed::NotSent { retry_after, is_away });
}

/// A proxy answers these of a server that died with the call, too.
#[tokio::test]
async fn a_status_that_proves_nothing_ends_a_call_that_may_run_once() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    for status in [400, 403, 408, 409, 413, 422, 429, 500, 502, 503, 504] {
        fake.nature().seen.clear();
        fake.on(
            "slow",
            [
                Reaction::Status(status, "upstream connect error"),
                Reaction::Result("{}"),
            ],
        );
        let (ended, body) = end(execute(&runner, &call("slow")).await);
        assert_eq!(ended, End::Unknown, "{status}");
        assert!(
            body.contains("not known") && !body.contains("did not run"),
            "{status}: {body}"
        );
        assert_eq!(fake.seen("tools/call").len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_status_that_comes_before_any_dispatch_lets_the_call_be_sent_again() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    for status in [401, 405, 406, 415] {
        fake.on("slow", [Reaction::Status(status, "")]);
        let (retry_after, is_away) = (Duration::ZERO, false);
        assert_eq!(
            execute(&runner, &call("slow")).await,
            Executed::NotSent { retry_after, is_away },
            "{status}"
        );
    }
}

/// The letters "session" in an error under the request's own id prove nothing: the tool has run.
#[tokio::test]
async fn an_error_under_the_requests_id_is_the_answer_whatever_it_says_and_whatever_its_status() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    let charged =
        r#"{"jsonrpc":"2.0","id":ID,"error":{"code":1,"message":"charged, but the database session broke"}}"#;
    for status in [400, 404, 429, 500, 503] {
        fake.nature().seen.clear();
        fake.on(
            "slow",
            [Reaction::Status(status, charged), Reaction::Result("{}")],
        );
        let (ended, body) = end(execute(&runner, &call("slow")).await);
        assert_eq!(ended, End::Error, "{status}");
        assert!(body.contains("charged"), "{status}: {body}");
        assert_eq!(fake.seen("tools/call").len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_call_that_may_run_again_waits_where_its_server_is_overloaded() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    fake.on("slow", [Reaction::Status(503, "")]);
    let retry_after = Duration::ZERO;
    let waits = execute(&runner, &may_run_again("slow")).await;
    assert_eq!(waits, Executed::Again { retry_after });
}

#[tokio::test]
async fn a_call_that_was_cut_runs_again_only_where_it_may() {
    let fake = McpServer::start(&["slow"]).await;
    fake.on("slow", [Reaction::Breaks(None, None), Reaction::Result("{}")]);
    let runner = runner(&fake);
    let (cut, body) = end(execute(&runner, &call("slow")).await);
    assert_eq!(cut, End::Unknown);
    assert!(body.contains("-31003"), "{body}");
    assert_eq!(fake.seen("tools/call").len(), 1);

    fake.on("slow", [Reaction::Breaks(None, None), Reaction::Result("{}")]);
    assert_eq!(end(execute(&runner, &may_run_again("slow")).await), result("{}"));

    fake.nature().seen.clear();
    fake.on("slow", [Reaction::Breaks(None, None)]);
    assert_eq!(
        end(execute(&runner, &may_run_again("slow")).await).0,
        End::Unknown
    );
    assert_eq!(
        fake.seen("tools/call").len(),
        3,
        "it is the call that cuts itself"
    );
}

#[tokio::test]
async fn a_cut_stream_with_an_event_id_is_resumed_and_nothing_runs_twice() {
    let fake = McpServer::start(&["slow"]).await;
    fake.on("slow", [Reaction::Breaks(Some("e-1"), Some(r#"{ "late":1}"#))]);
    assert_eq!(
        end(execute(&runner(&fake), &call("slow")).await),
        result(r#"{ "late":1}"#)
    );
    assert_eq!(fake.seen("tools/call").len(), 1);
    let resumed = fake.seen_http(&Method::GET);
    assert_eq!(resumed[0].headers["last-event-id"], "e-1");
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_at_the_server_and_its_session_is_not_used_again() {
    let fake = McpServer::start(&["slow"]).await;
    fake.on("slow", [Reaction::Hangs]);
    let runner = runner(&fake);
    let cancel = CancellationToken::new();
    let call = may_run_again("slow");
    let executing = runner.execute(run(&call, cancel.clone()));
    let cancelling = async {
        let called = eventually(SOON, async || fake.seen("tools/call").pop()).await;
        cancel.cancel();
        called
    };
    let (_, called) = tokio::join!(executing, cancelling);
    let told = fake.seen("notifications/cancelled").pop().unwrap();
    assert_eq!(told.body["params"]["requestId"], called.body["id"]);
    assert_eq!(fake.seen("tools/call").len(), 1, "cancelled is not cut");
    eventually(SOON, async || fake.seen_http(&Method::DELETE).pop()).await;
}

#[tokio::test]
async fn a_result_over_the_limit_ends_as_too_large() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    for stream in [false, true] {
        let bytes = (16 << 20) + 1;
        fake.on("slow", [Reaction::Big { bytes, stream }]);
        let (end, body) = end(execute(&runner, &call("slow")).await);
        assert_eq!(end, End::TooLarge);
        assert!(body.contains("-31007"), "{body}");
    }
}

#[tokio::test]
async fn a_question_inside_a_job_is_refused_and_a_ping_answered() {
    let fake = McpServer::start(&["slow"]).await;
    let ask = |id: u32, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method}).to_string();
    let questions = vec![ask(1, "sampling/createMessage"), ask(2, "ping")];
    fake.on("slow", [Reaction::Stream(questions, "{}")]);
    assert_eq!(end(execute(&runner(&fake), &call("slow")).await), result("{}"));
    let answer = |id: u32| {
        let seen = fake.seen("");
        seen.into_iter()
            .map(|seen| seen.body)
            .find(|body: &Value| body["id"] == id)
    };
    assert_eq!(
        eventually(SOON, async || answer(1)).await["error"]["code"],
        -32601
    );
    assert_eq!(eventually(SOON, async || answer(2)).await["result"], json!({}));
}

#[tokio::test]
async fn a_session_without_a_job_is_ended_after_a_minute() {
    let fake = McpServer::start(&["slow"]).await;
    let runner = runner(&fake);
    execute(&runner, &call("slow")).await;
    pass(45).await;
    assert!(fake.seen_http(&Method::DELETE).is_empty());
    pass(30).await;
    eventually(SOON, async || fake.seen_http(&Method::DELETE).pop()).await;
    execute(&runner, &call("slow")).await;
    assert_eq!(fake.seen("initialize").len(), 2);
}

/// Lets so many seconds pass, and what was waiting for them run.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
