//! The process is cut right before and right after the commit that makes a dead letter, and the one that ends its event.
//!
//! Invariant: each death has exactly one event.

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Result, ensure};
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use futures::StreamExt as _;
use http::StatusCode;

use crate::stage::{ONCE, PATIENCE, batch};

const SIGABRT: i32 = 6;

/// Where the process is cut, and what the two receivers see of it.
struct Case {
    /// The failpoint: the first delivery to end is the dead one, the second the event's.
    commit: &'static str,
    /// Attempts at the result.
    results: usize,
    /// Attempts at the event.
    events: usize,
}

const CASES: [Case; 4] = [
    Case {
        commit: "settle:before:1",
        results: 2,
        events: 1,
    },
    Case {
        commit: "settle:after:1",
        results: 1,
        events: 1,
    },
    Case {
        commit: "settle:before:2",
        results: 1,
        events: 2,
    },
    Case {
        commit: "settle:after:2",
        results: 1,
        events: 1,
    },
];

#[tokio::test]
async fn a_dead_letter_has_one_event_wherever_the_process_is_cut() -> Result<()> {
    let runs = futures::stream::iter(&CASES).map(|case| async move {
        let wrong = hold(case).await;
        wrong.err().map(|wrong| format!("{}: {wrong:#}", case.commit))
    });
    let wrong: Vec<String> = runs
        .buffer_unordered(2)
        .filter_map(futures::future::ready)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

async fn hold(case: &Case) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let dead = Receiver::start(|_| async { StatusCode::GONE }).await?;
    let ops = Receiver::willing().await?;
    let launch = Launch {
        flags: vec!["--failpoint".to_owned(), case.commit.to_owned()],
        ..Launch::default()
    };
    let route = route(&example.url, &dead.url("/"), &ops.url("/"));
    let mut gateway = DataPlane::start_as(dir.path(), &route, launch).await?;
    let session = Session::open(&gateway.url(), None).await?;
    session.call(1, ONCE, &batch(0.0, "once")).await?;
    let ended = gateway.process.ended(PATIENCE).await;
    ensure!(ended.signal() == Some(SIGABRT), "the process ended with {ended}");

    gateway.restart(&[]).await?;
    let events = ops.answered(case.events, PATIENCE).await;
    gateway.at_rest(PATIENCE).await;
    eventually(PATIENCE, || async {
        let status = gateway.status().await.map_err(|error| error.to_string())?;
        let dead = status["delivery"]["deadLettered"].as_u64();
        if dead == Some(1) {
            Ok(())
        } else {
            Err(format!("dead: {dead:?}"))
        }
    })
    .await;
    ensure!(
        dead.count() == case.results,
        "{} attempts at the result",
        dead.count()
    );
    ensure!(ops.count() == case.events, "{} attempts at events", ops.count());
    let ids: HashSet<&str> = events.iter().map(Post::webhook_id).collect();
    ensure!(ids.len() == 1, "several events: {ids:?}");
    let bodies: HashSet<_> = events.iter().map(|post| &post.body).collect();
    ensure!(bodies.len() == 1, "one event with several bodies");
    ensure!(
        events[0].response()["data"]["webhookId"] == dead.posts()[0].webhook_id(),
        "it is about another job"
    );
    Ok(())
}

fn route(server: &str, receiver: &str, ops: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: crash}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: {ONCE}}}
  webhook:
    retry: {{max: 20, exponential: {{initial: 100ms, max: 1s}}}}
    deadLetter: {{notify: {{url: "{ops}"}}}}
    receivers:
      default: {{url: "{receiver}"}}
"#
    )
}
