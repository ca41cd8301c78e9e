//! What a process that was killed and started again tells of the jobs that it found, before anybody calls.
//!
//! Invariant: not one scrape is wrong, however early.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use asyncmcp_tests::collector::Collector;
use asyncmcp_tests::eventually;
use asyncmcp_tests::receiver::{Answer, Receiver, following};
use http::StatusCode;
use serde_json::json;

use crate::metrics::stir;
use crate::traces::{assert_executed, call, post, session, span, traceparent};
use crate::world::{World, receiver};

const SOON: Duration = Duration::from_secs(30);
/// How long scrapes are looked at after a start.
const WATCH: Duration = Duration::from_secs(3);
/// Every metric of a delivery that is there before the first call.
const FROM_THE_START: [&str; 19] = [
    "asyncmcp_jobs{state=\"queued\"",
    "asyncmcp_jobs{state=\"running\"",
    "asyncmcp_jobs{state=\"due\"",
    "asyncmcp_jobs{state=\"sending\"",
    "asyncmcp_jobs{state=\"dead\"",
    "asyncmcp_delivery_attempts_total{outcome=\"delivered\",status_class=\"2xx\"",
    "asyncmcp_delivery_attempt_duration_seconds_bucket",
    "asyncmcp_delivery_retries_total{reason=\"timeout\"",
    "asyncmcp_time_to_delivery_seconds_bucket",
    "asyncmcp_oldest_pending_seconds{state=\"due\"",
    "asyncmcp_webhook_tool_timeout_seconds",
    "asyncmcp_dead_letters_total{reason=\"expired\"",
    "asyncmcp_breaker_open",
    "asyncmcp_egress_blocked_total{rule=\"loopback\"",
    "asyncmcp_sessions",
    "asyncmcp_streams",
    "asyncmcp_store_up",
    "asyncmcp_store_commit_batch_size_bucket",
    "asyncmcp_build_info",
];
/// Those whose labels are of the calls.
const WITH_CALLS: [&str; 4] = [
    "asyncmcp_jobs_accepted_total",
    "asyncmcp_job_duration_seconds_bucket",
    "mcp_server_operation_duration_seconds_bucket",
    "mcp_client_operation_duration_seconds_bucket",
];

/// A value of the first sample whose line begins so.
fn value(scrape: &str, begins: &str) -> Result<f64> {
    let line = scrape.lines().find(|line| line.starts_with(begins));
    let value = line.and_then(|line| line.rsplit(' ').next());
    Ok(value.with_context(|| format!("no {begins}"))?.parse()?)
}

/// One dead letter, and one result whose receiver asked to be left alone for an hour.
async fn one_dead_and_one_due(world: &World) -> Result<()> {
    let mut gone = receiver(u32::MAX, StatusCode::GONE).await?;
    World::process_batch(&world.client(&gone.url()).await?).await?;
    gone.next().await.context("no attempt")?;
    let hour = Answer::with(503, "retry-after: 3600");
    let busy = Receiver::start(following([hour])).await?;
    World::process_batch(&world.client(&busy.url("/hook")).await?).await?;
    eventually(SOON, || async {
        let scrape = world.dataplane.metrics().await?;
        let (due, dead) = (
            value(&scrape, "asyncmcp_jobs{state=\"due\"")?,
            value(&scrape, "asyncmcp_jobs{state=\"dead\"")?,
        );
        anyhow::ensure!((due, dead) == (1.0, 1.0), "{due} due, {dead} dead");
        // Told every 5 s, in whole milliseconds.
        let oldest = value(&scrape, "asyncmcp_oldest_pending_seconds{state=\"due\"")?;
        anyhow::ensure!(oldest > 0.0, "nothing is pending");
        Ok(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn the_first_scrape_after_a_kill_shows_the_jobs_that_are_there() -> Result<()> {
    let mut world = World::start("{}").await?;
    one_dead_and_one_due(&world).await?;
    world.dataplane.process.kill()?;
    world.dataplane.relaunch(&[])?;
    let mut scrapes = 0;
    let began = Instant::now();
    while scrapes == 0 || began.elapsed() < WATCH {
        let Ok(scrape) = world.dataplane.metrics().await else {
            tokio::time::sleep(Duration::from_millis(5)).await; // it does not listen yet
            continue;
        };
        scrapes += 1;
        for (sample, expected) in [
            ("asyncmcp_jobs{state=\"due\"", 1.0),
            ("asyncmcp_jobs{state=\"dead\"", 1.0),
            ("asyncmcp_jobs{state=\"queued\"", 0.0),
            ("asyncmcp_jobs{state=\"running\"", 0.0),
            ("asyncmcp_jobs{state=\"sending\"", 0.0),
            ("asyncmcp_store_up", 1.0),
        ] {
            let found = value(&scrape, sample)?;
            assert!(
                (found - expected).abs() < 0.5,
                "scrape {scrapes}: {sample} {found}"
            );
        }
        let oldest = value(&scrape, "asyncmcp_oldest_pending_seconds{state=\"due\"")?;
        assert!(oldest > 0.0, "scrape {scrapes}: nothing is pending");
        for metric in FROM_THE_START {
            value(&scrape, metric)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_metric_of_a_delivery_is_there_after_calls() -> Result<()> {
    let world = World::start("{}").await?;
    stir(&world).await?;
    let scrape = eventually(SOON, || async {
        let scrape = world.dataplane.metrics().await?;
        value(&scrape, "asyncmcp_job_duration_seconds_bucket").map(|_| scrape)
    })
    .await;
    for metric in FROM_THE_START.iter().chain(&WITH_CALLS) {
        value(&scrape, metric)?;
    }
    Ok(())
}

#[tokio::test]
async fn an_attempt_after_a_kill_is_linked_to_the_span_that_accepted() -> Result<()> {
    let files = tempfile::tempdir()?;
    let collector = Collector::start(files.path()).await?;
    let mut world = World::start(&format!("{{otlp: {{endpoint: \"{}\"}}}}", collector.http)).await?;
    // The first POST hangs until its sender is dead.
    let receiver = Receiver::start(|post| async move {
        if post.earlier == 0 {
            std::future::pending::<()>().await;
        }
        StatusCode::OK
    });
    let receiver = receiver.await?;
    let headers = session(&world, &receiver.url("/hook")).await?;
    post(&world, headers, &call(&json!({"traceparent": traceparent()}))).await?;
    let accepted = assert_executed(&collector).await;
    world.dataplane.restart(&[]).await?;
    receiver.answered(1, SOON).await;
    let after = span(&collector, "of the attempt after the restart", |span| {
        span.name == "POST" && span.has("http.response.status_code: Int(200)")
    });
    let after = after.await;
    assert_eq!(after.links, [accepted.context()]);
    let posts = receiver.posts();
    let told = posts[1].header("traceparent");
    assert_eq!(told, format!("00-{}-{}-01", after.trace, after.id));
    Ok(())
}
