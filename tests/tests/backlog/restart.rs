//! How soon clients are served again after a SIGKILL while very many jobs wait.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::pile::Pile;
use asyncmcp_tests::process::free_port;
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::Session;
use futures::future::try_join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::stage::{MANY, Stage, call_surely, pending};

/// From the start of the process to the first acknowledgement.
const AT_MOST: Duration = Duration::from_secs(2);
/// Kills; the median counts, since the machine is busy with other things too.
const KILLS: u64 = 5;
/// How long a process works before it is killed.
const LIFE: Duration = Duration::from_millis(700);
/// Clients that call all the while.
const CLIENTS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_pending_jobs_do_not_keep_clients_waiting() -> Result<()> {
    let receiver = Receiver::willing().await?;
    let mut stage = Stage::open(&receiver.url("/default")).await?;
    stage.burden(&half_queued_half_due(&receiver)?).await?;
    let stop = CancellationToken::new();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let session = Session::open(&stage.gateway.url(), None).await?;
        clients.push(tokio::spawn(call_on(session, stop.clone())));
    }
    let waits = kill_and_wait(&mut stage).await?;
    stop.cancel();
    for client in try_join_all(clients).await? {
        client?;
    }
    let left = pending(&stage.gateway.status().await?);
    say(&format!(
        "first acknowledgement after a kill with {left} jobs pending: {waits:?}"
    ));
    assert!(left > MANY / 2, "only {left} jobs were left at the end");
    assert!(waits[waits.len() / 2] <= AT_MOST, "{waits:?}");
    Ok(())
}

/// Jobs that run as soon as they can, and jobs whose receiver is away.
fn half_queued_half_due(receiver: &Receiver) -> Result<[Pile; 2]> {
    let jobs = MANY / 2;
    let nobody = format!("http://127.0.0.1:{}/hook", free_port()?);
    let (receiver, is_due) = (receiver.url("/default"), false);
    let queued = Pile {
        jobs,
        receiver,
        is_due,
    };
    let due = Pile {
        jobs,
        receiver: nobody,
        is_due: true,
    };
    Ok([queued, due])
}

/// How long each restart kept a client waiting, sorted.
async fn kill_and_wait(stage: &mut Stage) -> Result<Vec<Duration>> {
    let session = Session::open(&stage.gateway.url(), None).await?;
    let mut waits = Vec::new();
    for id in 1..=KILLS {
        sleep(LIFE).await; // the moment is the stimulus: any will do
        stage.gateway.process.kill()?;
        let began = Instant::now();
        stage.gateway.relaunch(&[])?;
        waits.push(call_surely(&session, id, began).await?);
    }
    waits.sort();
    Ok(waits)
}

async fn call_on(session: Session, stop: CancellationToken) -> Result<()> {
    for id in 1.. {
        if stop.is_cancelled() {
            break;
        }
        call_surely(&session, id, Instant::now()).await?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the number is what the test is for")]
fn say(what: &str) {
    println!("{what}");
}
