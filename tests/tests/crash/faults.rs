//! Faults that no restart heals, one after the other under load: syncs that report failure after they were done, callers that
//! hang up, receivers whose connections freeze.
//!
//! Invariant: one process lives through all of them, and in the end every call made is delivered.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::sync_fault::SyncFault;
use http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::ledger::Ledger;
use crate::load::{Client, Load, say, settle};
use crate::plan::Plan;
use crate::stage::Stage;

/// The number of the client that hangs up, after those of the load.
const RUDE: u64 = 1000;
/// How long a frozen connection says nothing: longer than an attempt may take.
const FROZEN: Duration = Duration::from_secs(7);
/// The longest that a rude caller waits, in milliseconds.
const LONGEST_WAIT: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_left_waiting_by_faults_that_the_process_survives() -> Result<()> {
    let plan = Plan::of_environment()?;
    let (ledger, frozen) = (Arc::new(Ledger::default()), Arc::new(AtomicUsize::new(0)));
    let fault = SyncFault::new(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let receiver = freezing(Arc::clone(&ledger), Arc::clone(&frozen)).await?;
    let mut stage = Stage::open_as(receiver, fault.launch()).await?;
    let load = Load::begin(&stage, &ledger, plan.seed).await?;
    let rude = Client::connect(&stage, RUDE, &ledger).await?;
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let mut counts = [0; 3];
    while counts.iter().sum::<usize>() < plan.faults() {
        let kind = chance.random_range(0..counts.len());
        counts[kind] += 1;
        match kind {
            0 => {
                fault.fail(chance.random_range(1..4))?;
                fault.happened().await;
                // A store that fails three times in a row fails for good: a commit in between.
                rude.call(true, 0.0).await?;
            }
            1 => {
                let wait = Duration::from_millis(chance.random_range(1..LONGEST_WAIT));
                rude.call_after(wait, chance.random(), 0.0).await?;
            }
            _ => drop(frozen.fetch_add(1, Ordering::Relaxed)),
        }
    }
    load.end().await?;
    let findings = settle(&mut stage, &ledger, &[]).await?;
    say(&format!(
        "{} failed syncs, {} callers that hung up, {} frozen connections: {} calls acknowledged, {} results and {} unknown \
         outcomes delivered",
        counts[0], counts[1], counts[2], findings.acknowledged, findings.results, findings.unknown
    ));
    assert_eq!(findings.complaints, Vec::<String>::new());
    assert_eq!(findings.unknown, 0, "the process never died");
    Ok(())
}

/// A receiver that freezes as many of its connections as it is told to.
async fn freezing(ledger: Arc<Ledger>, frozen: Arc<AtomicUsize>) -> Result<Receiver> {
    let receiver = Receiver::start(move |post: Post| {
        let ledger = Arc::clone(&ledger);
        let freezes = frozen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        async move {
            if freezes.is_ok() {
                tokio::time::sleep(FROZEN).await;
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            ledger.deliver(&post);
            StatusCode::OK
        }
    })
    .await?;
    Ok(receiver)
}
