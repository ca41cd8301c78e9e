//! Faults that no restart heals, one after the other under load: syncs that report failure after they were done, callers that
//! hang up, receivers whose connections freeze, proxies that answer 503 once a tool ran, arguments that are lost.
//!
//! Invariant: one process lives through all of them, in the end every call made has its answer, and no job ever waited for
//! somebody to find it.

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

use crate::ledger::{Ends, Ledger};
use crate::load::{Client, Load, say, settle};
use crate::plan::Plan;
use crate::stage::{ALONE, LIAR, Stage};

/// The number of the client that hangs up, after those of the load.
const RUDE: u64 = 1000;
/// How long a frozen connection says nothing: longer than an attempt may take.
const FROZEN: Duration = Duration::from_secs(7);
/// How long the call runs for which another one waits, in seconds.
const BUSY: f64 = 1.0;
/// More than a value in the store's own file has.
const LARGE: usize = 300 << 10;
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
    let mut counts = [0; 5];
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
            2 => drop(frozen.fetch_add(1, Ordering::Relaxed)),
            3 => rude.call_tool(LIAR, 0.0, 0, Ends::Unknown).await?,
            _ => lose_arguments(&stage, &rude).await?,
        }
    }
    load.end().await?;
    let unheld = stage
        .gateway
        .metric("asyncmcp_reconciled_jobs_total", &[])
        .await?;
    let findings = settle(&mut stage, &ledger, &[]).await?;
    say(&format!(
        "{} failed syncs, {} callers that hung up, {} frozen connections, {} lying proxies, {} lost arguments: {} calls \
         acknowledged, {} results, {} unknown outcomes and {} damaged calls delivered, {unheld} jobs found without a holder",
        counts[0],
        counts[1],
        counts[2],
        counts[3],
        counts[4],
        findings.acknowledged,
        findings.results,
        findings.unknown,
        findings.damaged
    ));
    assert_eq!(findings.complaints, Vec::<String>::new());
    assert_eq!(findings.unknown, counts[3], "the process never died");
    assert_eq!(stage.liar.ran("charge"), counts[3]);
    assert_eq!(findings.damaged, counts[4]);
    assert!(unheld < 1.0, "{unheld} jobs had no holder");
    Ok(())
}

/// Has a call wait for another one, and removes the file with its arguments.
async fn lose_arguments(stage: &Stage, client: &Client) -> Result<()> {
    client.call_tool(ALONE, BUSY, 0, Ends::Usual).await?;
    client.call_tool(ALONE, 0.0, LARGE, Ends::Damaged).await?;
    for file in std::fs::read_dir(stage.gateway.dir.join("state/blobs"))? {
        std::fs::remove_file(file?.path())?;
    }
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
