//! Receivers whose connections fail, hang, or bring more than anybody asked for.

use std::time::Instant;

use anyhow::{Context as _, Result};
use asyncmcp_tests::fault::{Fault, FaultyReceiver};
use asyncmcp_tests::process::free_port;

use crate::ending::{Stage, TIGHT, are_one_delivery};

const TIMED_OUT: [&str; 3] = ["retry timeout", "retry timeout", "dead timeout"];
/// The flood's size.
const FLOOD: usize = 100 << 20;
/// What sockets on both sides may hold of it, and more than the process may grow by.
const A_LITTLE: usize = 16 << 20;

#[tokio::test]
async fn nobody_listens() -> Result<()> {
    let stage = Stage::open(&format!("http://127.0.0.1:{}/hook", free_port()?)).await?;
    stage.call(None).await?;
    let refused = "connection_refused";
    let story = [
        format!("retry {refused}"),
        format!("retry {refused}"),
        format!("dead {refused}"),
    ];
    stage.ends_as(&story.each_ref().map(String::as_str)).await
}

#[tokio::test]
async fn it_hangs_before_its_answer() -> Result<()> {
    times_out(Fault::Silence).await
}

#[tokio::test]
async fn it_hangs_within_its_answer() -> Result<()> {
    times_out(Fault::NoBody).await
}

#[tokio::test]
async fn its_answer_drips() -> Result<()> {
    times_out(Fault::Drip).await
}

async fn times_out(fault: Fault) -> Result<()> {
    let receiver = FaultyReceiver::start([fault]).await?;
    let stage = Stage::open_tight(&receiver.url("127.0.0.1")).await?;
    let began = Instant::now();
    stage.call(None).await?;
    stage.ends_as(&TIMED_OUT).await?;
    assert!(
        began.elapsed() >= 3 * TIGHT,
        "given up after {:?}",
        began.elapsed()
    );
    assert_eq!(receiver.seen().len(), 3);
    are_one_delivery(&receiver.seen())
}

#[tokio::test]
async fn it_resets_the_connection_in_the_middle_of_a_200() -> Result<()> {
    let receiver = FaultyReceiver::start([Fault::Reset, Fault::status(200)]).await?;
    let stage = Stage::open(&receiver.url("127.0.0.1")).await?;
    stage.call(None).await?;
    stage
        .ends_as(&["retry connection_reset", "delivered 200"])
        .await?;
    assert_eq!(receiver.seen().len(), 2);
    are_one_delivery(&receiver.seen())
}

#[tokio::test]
async fn it_answers_with_100_megabytes() -> Result<()> {
    let receiver = FaultyReceiver::start([Fault::Flood(FLOOD)]).await?;
    let stage = Stage::open(&receiver.url("127.0.0.1")).await?;
    let before = peak_memory(stage.gateway.process.pid())?;
    stage.call(None).await?;
    stage.ends_as(&["delivered 200"]).await?;
    let grown = peak_memory(stage.gateway.process.pid())? - before;
    assert!(
        receiver.flooded() < A_LITTLE,
        "{} bytes were taken",
        receiver.flooded()
    );
    assert!(grown < A_LITTLE, "memory grew by {grown} bytes");
    Ok(())
}

/// The most memory that the process has used, in bytes.
fn peak_memory(pid: u32) -> Result<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.context("no VmHWM")?.trim().trim_end_matches(" kB");
    Ok(kilobytes.parse::<usize>()? << 10)
}
