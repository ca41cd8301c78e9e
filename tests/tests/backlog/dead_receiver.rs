//! A receiver that is away, with very many deliveries waiting for it, and what the others notice of it: nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use asyncmcp_tests::eventually;
use asyncmcp_tests::pile::Pile;
use asyncmcp_tests::process::free_port;
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use asyncmcp_tests::usage::Usage;
use futures::future::try_join_all;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::stage::{MANY, MAX_IN_FLIGHT, PATIENCE, Stage, call_surely, pending};

/// Receivers that are well, one to a client.
const OTHERS: usize = 10;
/// Deliveries to each of them that are measured.
const EACH: u64 = 40;
/// Between two calls of one client: the machine is to have nothing to wait for.
const PACE: Duration = Duration::from_millis(150);
/// How long the store is watched while nobody calls.
const QUIET: Duration = Duration::from_secs(3);
/// What may be written in that time: the log, and the answers to scrapes.
const QUIET_BYTES: u64 = 256 << 10;
/// What memory may grow by: less than the jobs that wait would take.
const FLAT: u64 = 16 << 20;
/// How long the receiver takes over a POST once it is back.
const SLOWLY: Duration = Duration::from_millis(40);
/// How many attempts may be under way when the breaker closes, and how many of each there are.
const STEPS: [usize; 4] = [1, 2, 4, 8];
/// POSTs that are looked at after its return.
const ENOUGH: usize = 100;

/// What others noticed in one phase.
#[derive(Debug)]
struct Phase {
    /// From call to POST: of a hundred deliveries, one took longer.
    p99: Duration,
    /// What the process wrote per call.
    bytes_per_call: u64,
    /// What it held at the end.
    memory: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_dead_receiver_and_it_is_not_stampeded_when_it_is_back() -> Result<()> {
    let port = free_port()?;
    let dead = format!("http://127.0.0.1:{port}/hook");
    let others = Receiver::willing().await?;
    let mut stage = Stage::open(&dead).await?;
    let before = phase(&stage, &others).await?;
    let pile = Pile {
        jobs: MANY,
        receiver: dead,
        is_due: true,
    };
    stage.burden(&[pile]).await?;
    breaker_opens(&stage).await;
    let opened = Instant::now();
    stays_quiet(&stage).await?;
    let after = phase(&stage, &others).await?;
    let again = phase(&stage, &others).await?;
    say(&format!(
        "{before:?} without and {after:?}, {again:?} with {MANY} parked jobs"
    ));
    judge(&before, &after, &again);
    assert!(pending(&stage.gateway.status().await?) >= MANY - MAX_IN_FLIGHT as u64);
    say(&format!(
        "it is back {:?} after its breaker opened",
        opened.elapsed()
    ));
    comes_back(port).await
}

/// Calls whose results go to receivers that are well.
async fn phase(stage: &Stage, others: &Receiver) -> Result<Phase> {
    let (before, posts) = (usage(stage)?, others.count());
    let clients = (0..OTHERS).map(|number| client(stage, others, number, posts));
    let mut took: Vec<Duration> = try_join_all(clients).await?.concat();
    took.sort();
    let after = usage(stage)?;
    let calls = OTHERS as u64 * EACH;
    Ok(Phase {
        p99: took[took.len() * 99 / 100],
        bytes_per_call: (after.written - before.written) / calls,
        memory: after.memory,
    })
}

/// How long each of one client's deliveries took.
async fn client(stage: &Stage, others: &Receiver, number: usize, earlier: usize) -> Result<Vec<Duration>> {
    let path = format!("/client-{number}");
    let session = Session::open(&stage.gateway.url(), Some(&others.url(&path))).await?;
    let mut called = Vec::new();
    for id in 1..=EACH {
        sleep(PACE).await;
        let now = std::time::Instant::now();
        call_surely(&session, id, Instant::now()).await?;
        called.push(now);
    }
    let mine = |post: &Post| post.path == path;
    let posts = eventually(PATIENCE, || async {
        let posts: Vec<Post> = others.posts().into_iter().skip(earlier).filter(mine).collect();
        if posts.len() == called.len() {
            Ok(posts)
        } else {
            Err(posts.len())
        }
    })
    .await;
    let took = posts.iter().map(|post| {
        let id = post.response()["id"]
            .as_u64()
            .and_then(|id| usize::try_from(id).ok());
        let called = id.and_then(|id| called.get(id.checked_sub(1)?));
        called.map(|called| post.at - *called)
    });
    took.map(|took| anyhow::Context::context(took, "a POST that nobody called for"))
        .collect()
}

/// After ten attempts that found nobody the receiver is left alone.
async fn breaker_opens(stage: &Stage) {
    eventually(PATIENCE, || async {
        let open = stage.gateway.metric("asyncmcp_breaker_open", &[]).await;
        match open.map_err(|error| error.to_string())? {
            1.0 => Ok(()),
            open => Err(format!("{open} breakers are open")),
        }
    })
    .await;
}

/// While nobody calls, the jobs that wait cost nothing.
async fn stays_quiet(stage: &Stage) -> Result<()> {
    let (before, attempts) = (usage(stage)?, stage.gateway.attempts().len());
    sleep(QUIET).await;
    let after = usage(stage)?;
    let written = after.written - before.written;
    say(&format!("{written} bytes were written in {QUIET:?} of quiet"));
    ensure!(written < QUIET_BYTES, "{written} bytes in {QUIET:?}");
    let more = stage.gateway.attempts().len() - attempts;
    ensure!(more == 0, "{more} attempts while the breaker was open");
    Ok(())
}

/// Generous, since the machine is busy with other things too: what grows with the jobs that wait grows a thousandfold.
fn judge(before: &Phase, after: &Phase, again: &Phase) {
    let p99 = after.p99.min(again.p99);
    assert!(
        p99 <= 3 * before.p99 + Duration::from_millis(100),
        "{before:?} {after:?} {again:?}"
    );
    let bytes = after.bytes_per_call.min(again.bytes_per_call);
    assert!(
        bytes <= 4 * before.bytes_per_call,
        "{before:?} {after:?} {again:?}"
    );
    assert!(after.memory <= before.memory + FLAT, "{before:?} {after:?}");
    assert!(again.memory <= after.memory + FLAT, "{after:?} {again:?}");
}

/// A POST that came in, and how many were under way with it.
type Arrivals = Arc<std::sync::Mutex<Vec<usize>>>;

/// The receiver answers again: one attempt, two, four, eight at once, then as many as the route allows.
async fn comes_back(port: u16) -> Result<()> {
    let (under_way, arrivals) = (Arc::new(AtomicUsize::new(0)), Arrivals::default());
    let seen = Arc::clone(&arrivals);
    let receiver = Receiver::start_at(port, move |_post| {
        let (under_way, seen) = (Arc::clone(&under_way), Arc::clone(&seen));
        async move {
            let with_it = under_way.fetch_add(1, Ordering::SeqCst) + 1;
            seen.lock().expect("no holder panics").push(with_it);
            sleep(SLOWLY).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            StatusCode::OK
        }
    });
    let receiver = receiver.await?;
    receiver.answered(ENOUGH, PATIENCE).await;
    let arrivals = arrivals.lock().expect("no holder panics").clone();
    let allowed = STEPS.iter().flat_map(|step| std::iter::repeat_n(*step, *step));
    let allowed = allowed.chain(std::iter::repeat(MAX_IN_FLIGHT));
    for (number, (with_it, allowed)) in arrivals.iter().zip(allowed).enumerate() {
        assert!(
            *with_it <= allowed,
            "POST {number} made {with_it} at once: {arrivals:?}"
        );
    }
    assert!(
        arrivals.contains(&MAX_IN_FLIGHT),
        "it never got everything again: {arrivals:?}"
    );
    Ok(())
}

fn usage(stage: &Stage) -> Result<Usage> {
    Usage::of(stage.gateway.process.pid())
}

#[expect(clippy::print_stdout, reason = "the numbers are what the test is for")]
fn say(what: &str) {
    println!("{what}");
}
