//! Calls that run as a server's task, and calls that another process left behind.

use super::*;
use asyncmcp_fakes::mcp::task::ID;

fn as_task(call: Call) -> Call {
    Call {
        as_task: true,
        ..call
    }
}

async fn with_tasks(statuses: &[&'static str]) -> McpServer {
    let fake = McpServer::start(&["slow"]).await;
    fake.nature().tasks = Some(statuses.to_vec());
    fake
}

/// What is left behind by an execution that is cut as soon as it left something.
async fn left_by(runner: &Runner, call: &Call) -> Bytes {
    let run = run(call, CancellationToken::new());
    let tokens = run.tokens.clone();
    tokio::select! {
        executed = runner.execute(run) => panic!("it ended: {executed:?}"),
        token = eventually(SOON, async || tokens.last()) => token,
    }
}

/// Goes on from it, as a new process does.
async fn resumed(fake: &McpServer, call: &Call, token: Bytes) -> Executed {
    let run = Run {
        begin: Begin::Resume(token),
        ..run(call, CancellationToken::new())
    };
    runner(fake).execute(run).await
}

#[tokio::test]
async fn a_tool_that_may_be_a_task_is_one_and_is_polled() {
    let fake = with_tasks(&["working", "working", "completed"]).await;
    let executed = execute(&runner(&fake), &as_task(call("slow"))).await;
    assert_eq!(end(executed), result(r#"{"content":[]}"#));
    let [called] = &fake.seen("tools/call")[..] else {
        panic!("called once")
    };
    // A minute of timeout and an hour.
    assert_eq!(called.body["params"]["task"], json!({"ttl": 3_660_000}));
    assert_eq!(fake.seen("tasks/get").len(), 3);
    assert_eq!(fake.seen("tasks/result")[0].body["params"]["taskId"], ID);
}

#[tokio::test]
async fn a_tool_is_called_plainly_where_it_or_its_server_knows_no_tasks() {
    let fake = with_tasks(&["completed"]).await;
    execute(&runner(&fake), &call("slow")).await;
    fake.nature().tasks = None;
    let executed = execute(&runner(&fake), &as_task(call("slow"))).await;
    assert_eq!(end(executed), result(r#"{"content":[]}"#));
    for called in fake.seen("tools/call") {
        assert_eq!(called.body["params"].get("task"), None);
    }
}

#[tokio::test]
async fn how_a_task_failed_is_how_the_job_ends() {
    let fake = with_tasks(&["failed"]).await;
    let error = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-5,"message":"no"}}"#;
    fake.on("tasks/result", [Reaction::Status(400, error)]);
    let (end, body) = end(execute(&runner(&fake), &as_task(call("slow"))).await);
    let expected = r#"{"jsonrpc":"2.0","id":"client-1","error":{"code":-5,"message":"no"}}"#;
    assert_eq!((end, body.as_str()), (End::Error, expected));
}

#[tokio::test]
async fn a_question_of_a_task_is_refused() {
    let fake = with_tasks(&["working", "input_required"]).await;
    let question = json!({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create"});
    fake.on(
        "tasks/result",
        [Reaction::Stream(vec![question.to_string()], r#"{"content":[ ]}"#)],
    );
    let executed = execute(&runner(&fake), &as_task(call("slow"))).await;
    assert_eq!(end(executed), result(r#"{"content":[ ]}"#));
    let refusal = eventually(SOON, async || {
        fake.seen("").into_iter().find(|seen| seen.body["id"] == 1)
    })
    .await;
    assert_eq!(refusal.body["error"]["code"], -32601);
    let said = refusal.body["error"]["message"].as_str().unwrap();
    assert!(said.contains("elicitation/create is not possible here"), "{said}");
}

#[tokio::test]
async fn a_task_that_its_server_forgot_is_a_call_of_unknown_outcome() {
    let fake = with_tasks(&["working", "gone"]).await;
    let executed = execute(&runner(&fake), &as_task(call("slow"))).await;
    assert_eq!(end(executed).0, End::Unknown);
    assert_eq!(fake.seen("tools/call").len(), 1);
    fake.forget_sessions();
    fake.nature().tasks = Some(vec!["working"]);
    let runner = runner(&fake);
    let call = as_task(call("slow"));
    let token = left_by(&runner, &call).await;
    fake.forget_sessions();
    assert_eq!(resumed(&fake, &call, token).await, Executed::Lost);
    assert_eq!(fake.seen("tools/call").len(), 2);
}

#[tokio::test]
async fn a_cancelled_task_is_cancelled_at_its_server() {
    let fake = with_tasks(&["working"]).await;
    let (runner, cancel) = (runner(&fake), CancellationToken::new());
    let call = as_task(call("slow"));
    let executing = runner.execute(run(&call, cancel.clone()));
    let cancelling = async {
        eventually(SOON, async || fake.seen("tasks/get").pop()).await;
        cancel.cancel();
    };
    tokio::join!(executing, cancelling);
    assert_eq!(fake.seen("tasks/cancel")[0].body["params"]["taskId"], ID);
    assert!(fake.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn a_task_is_resumed_on_its_session_and_not_begun_again() {
    let fake = with_tasks(&["working"]).await;
    let call = as_task(call("slow"));
    let token = left_by(&runner(&fake), &call).await;
    fake.nature().tasks = Some(vec!["working", "completed"]);
    let executed = resumed(&fake, &call, token).await;
    assert_eq!(end(executed), result(r#"{"content":[]}"#));
    assert_eq!(fake.seen("tools/call").len(), 1);
    let sessions: Vec<_> = fake
        .seen("tasks/get")
        .iter()
        .map(|seen| seen.headers["mcp-session-id"].clone())
        .collect();
    assert!(
        sessions.iter().all(|session| *session == sessions[0]),
        "{sessions:?}"
    );
    // An id that the process before may have used would meet its request.
    let result = fake.seen("tasks/result").pop().unwrap();
    assert_ne!(result.body["id"], "asyncmcp:1");
}

#[tokio::test]
async fn a_stream_is_resumed_after_the_last_event_and_the_call_not_sent_again() {
    let fake = McpServer::start(&["slow"]).await;
    fake.on("slow", [Reaction::Breaks(Some("e-1"), Some(r#"{ "late":1}"#))]);
    let call = call("slow");
    let token = left_by(&runner(&fake), &call).await;
    let executed = resumed(&fake, &call, token).await;
    assert_eq!(end(executed), result(r#"{ "late":1}"#));
    assert_eq!(fake.seen("tools/call").len(), 1);
    let resumed = fake.seen_http(&Method::GET).pop().unwrap();
    assert_eq!(resumed.headers["last-event-id"], "e-1");
}

#[tokio::test]
async fn a_stream_of_a_session_that_is_gone_cannot_be_resumed() {
    let fake = McpServer::start(&["slow"]).await;
    fake.on("slow", [Reaction::Breaks(Some("e-1"), Some("{}"))]);
    let call = call("slow");
    let token = left_by(&runner(&fake), &call).await;
    fake.forget_sessions();
    assert_eq!(resumed(&fake, &call, token).await, Executed::Lost);
    let unreadable = Bytes::from_static(b"what no version wrote");
    assert_eq!(resumed(&fake, &call, unreadable).await, Executed::Lost);
    assert_eq!(fake.seen("tools/call").len(), 1);
}
