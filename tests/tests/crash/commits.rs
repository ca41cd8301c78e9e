//! The process is cut right before and right after each commit of a job.
//!
//! One call per case, so that every number is exact. Invariant: after the restart the client sends its
//! call once more, as one that never read an acknowledgement would.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Result, ensure};
use asyncmcp_tests::receiver::{Post, Receiver};
use futures::StreamExt as _;
use http::StatusCode;

use crate::stage::{AGAIN, DEFAULT, ONCE, PATIENCE, Stage, batch, call_surely};

const SIGABRT: i32 = 6;
const KEY: &str = "the-call";
/// Cases at work at the same time.
const AT_ONCE: usize = 4;

/// What a call comes to when the process is cut at one commit.
struct Case {
    /// `KIND:WHEN` of the failpoint.
    commit: &'static str,
    /// Whether the call sent after the restart is a new one.
    is_new: bool,
    /// How often the tool ran.
    ran: RangeInclusive<usize>,
    /// `result`, or the error's code.
    outcome: &'static str,
    /// What the receiver answered, in order.
    answers: &'static [u16],
}

const fn case(
    commit: &'static str,
    ran: RangeInclusive<usize>,
    outcome: &'static str,
    answers: &'static [u16],
) -> Case {
    Case {
        commit,
        is_new: false,
        ran,
        outcome,
        answers,
    }
}

/// Nothing was acknowledged and nothing was kept: the second call is the first.
const NEVER_ACCEPTED: Case = Case {
    is_new: true,
    ..case("accept:before", 1..=1, "result", &[200])
};

const RUNS_ONCE: [Case; 10] = [
    NEVER_ACCEPTED,
    case("accept:after", 1..=1, "result", &[200]),
    // Not even dispatched: the start is awaited before.
    case("start:before", 1..=1, "result", &[200]),
    case("start:after", 0..=0, "-31003", &[200]),
    case("finish:before", 1..=1, "-31003", &[200]),
    case("finish:after", 1..=1, "result", &[200]),
    case("retry:before", 1..=1, "result", &[500, 200]),
    case("retry:after", 1..=1, "result", &[500, 200]),
    // The receiver had it, and nobody could know.
    case("settle:before", 1..=1, "result", &[200, 200]),
    case("settle:after", 1..=1, "result", &[200]),
];

const MAY_RUN_AGAIN: [Case; 10] = [
    NEVER_ACCEPTED,
    case("accept:after", 1..=1, "result", &[200]),
    // Dispatched while its start is being committed: cut before or after it got there.
    case("start:before", 1..=2, "result", &[200]),
    case("start:after", 1..=2, "result", &[200]),
    case("finish:before", 2..=2, "result", &[200]),
    case("finish:after", 1..=1, "result", &[200]),
    case("retry:before", 1..=1, "result", &[500, 200]),
    case("retry:after", 1..=1, "result", &[500, 200]),
    case("settle:before", 1..=1, "result", &[200, 200]),
    case("settle:after", 1..=1, "result", &[200]),
];

#[tokio::test]
async fn a_call_that_runs_at_most_once_survives_a_cut_at_every_commit() -> Result<()> {
    all(&RUNS_ONCE, ONCE, Some("/own")).await
}

#[tokio::test]
async fn a_call_that_may_run_again_survives_a_cut_at_every_commit() -> Result<()> {
    all(&MAY_RUN_AGAIN, AGAIN, None).await
}

async fn all(cases: &[Case], tool: &str, receiver: Option<&str>) -> Result<()> {
    let runs = futures::stream::iter(cases).map(|case| async move {
        let wrong = hold(case, tool, receiver).await;
        wrong.err().map(|wrong| format!("{}: {wrong:#}", case.commit))
    });
    let wrong: Vec<String> = runs
        .buffer_unordered(AT_ONCE)
        .filter_map(futures::future::ready)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

async fn hold(case: &Case, tool: &str, path: Option<&str>) -> Result<()> {
    let failing = case.answers[0] == 500;
    let receiver = Receiver::start(move |post| async move {
        if failing && post.earlier == 0 {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    });
    let failpoint = format!("{}:1", case.commit);
    let mut stage = Stage::open(receiver.await?, &["--failpoint", &failpoint]).await?;
    let session = stage.session(path).await?;
    let first = session.call(1, tool, &batch(0.1, KEY)).await;
    let ended = stage.gateway.process.ended(PATIENCE).await;
    ensure!(ended.signal() == Some(SIGABRT), "the process ended with {ended}");
    let cut = case.commit.starts_with("accept") == first.is_err() || !case.commit.starts_with("accept");
    ensure!(cut, "acknowledged before it was kept: {first:?}");
    stage.gateway.restart(&[]).await?;
    call_surely(&session, 1, tool, &batch(0.1, KEY)).await?;
    let posts = stage.receiver.answered(case.answers.len(), PATIENCE).await;
    stage.gateway.at_rest(PATIENCE).await;
    check(case, &stage, posts, path.unwrap_or(DEFAULT)).await
}

async fn check(case: &Case, stage: &Stage, posts: Vec<Post>, path: &str) -> Result<()> {
    let is_new = stage.gateway.metric("asyncmcp_jobs_accepted_total", &[]).await? > 0.0;
    ensure!(is_new == case.is_new, "sent again, it was a new call: {is_new}");
    let ran = stage.example.ran().len();
    ensure!(case.ran.contains(&ran), "the tool ran {ran} times");
    ensure!(stage.receiver.count() == posts.len(), "POSTs after it was over");
    let answers: Vec<u16> = posts
        .iter()
        .map(|post| post.answered.unwrap_or_default().as_u16())
        .collect();
    ensure!(answers == case.answers, "the receiver answered {answers:?}");
    let distinct: HashSet<_> = posts
        .iter()
        .map(|post| (post.webhook_id(), &post.body, post.path.as_str()))
        .collect();
    ensure!(distinct.len() == 1, "not one outcome: {distinct:?}");
    let response = posts[0].response();
    let outcome = response["error"]["code"].as_i64();
    let outcome = outcome.map_or_else(|| "result".to_owned(), |code| code.to_string());
    ensure!(outcome == case.outcome, "the outcome is {response}");
    ensure!(
        response["id"] == 1 && posts[0].path == path,
        "it is {response} to {}",
        posts[0].path
    );
    Ok(())
}
