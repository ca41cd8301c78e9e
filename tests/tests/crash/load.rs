//! SIGKILL again and again while clients call and receivers stumble: nothing acknowledged is lost.
//!
//! `CRASH_KILLS` says how often (50), `CRASH_SEED` which moments (drawn and printed). Invariant: each
//! client sends a call until it is acknowledged, so at the end every call made must have been delivered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use asyncmcp_delivery::store::redb::{Embedded, Kind, Options};
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use futures::future::try_join_all;
use http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;

use crate::audit::{Evidence, Findings, audit};
use crate::ledger::{Acknowledgement, Call, Ledger};
use crate::stage::{AGAIN, DEFAULT, ONCE, PATIENCE, Stage, batch, call_surely};

/// Clients at work; every other one names its own receiver.
const CLIENTS: u64 = 10;
/// How long a restart may keep clients from an acknowledgement.
const RESTART: Duration = Duration::from_secs(2);
/// In how many of a hundred cases a receiver answers 500.
const STUMBLES: u32 = 10;
/// The longest that a process lives that is killed while it starts, in milliseconds.
const LONGEST_START: u64 = 250;
/// The longest that one lives once it takes calls, in milliseconds.
const LONGEST_LIFE: u64 = 900;

/// What the environment asks for.
struct Plan {
    kills: u32,
    seed: u64,
}

impl Plan {
    fn of_environment() -> Result<Self> {
        let number = |name: &str| match std::env::var(name) {
            Ok(text) if !text.is_empty() => text.parse().map(Some).with_context(|| format!("{name}={text}")),
            _ => anyhow::Ok(None),
        };
        let kills = number("CRASH_KILLS")?.unwrap_or(50);
        Ok(Self {
            kills: u32::try_from(kills)?,
            seed: number("CRASH_SEED")?.unwrap_or_else(rand::random),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_many_kills_under_load() -> Result<()> {
    let plan = Plan::of_environment()?;
    println!("CRASH_KILLS={} CRASH_SEED={}", plan.kills, plan.seed);
    let ledger = Arc::new(Ledger::default());
    let mut stage = Stage::open(flaky(Arc::clone(&ledger)).await?, &[]).await?;
    let stop = CancellationToken::new();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let client = Client::connect(&stage, number, &ledger).await?;
        clients.push(tokio::spawn(client.work(stop.clone(), plan.seed)));
    }
    let restarts = kill_repeatedly(&mut stage, &plan, &ledger).await?;
    stop.cancel();
    for client in try_join_all(clients).await? {
        client?;
    }
    let findings = settle(&mut stage, &ledger).await?;
    tell(&plan, &findings, &restarts);
    assert_eq!(findings.complaints, Vec::<String>::new());
    assert!(
        findings.acknowledged > 10 * plan.kills as usize,
        "too little load"
    );
    assert!(restarts.iter().all(|took| *took <= RESTART), "{restarts:?}");
    Ok(())
}

/// Waits for the last delivery, ends the process, and looks at what is left.
async fn settle(stage: &mut Stage, ledger: &Ledger) -> Result<Findings> {
    // What is not delivered by then is complained about by name.
    let _late = tokio::time::timeout(2 * PATIENCE, ledger.all_delivered()).await;
    stage.gateway.at_rest(PATIENCE).await;
    let dead = stage.gateway.status().await?["delivery"]["deadLettered"].clone();
    assert_eq!(dead, 0, "dead letters");
    stage.gateway.process.terminate()?;
    assert_eq!(stage.gateway.process.ended(PATIENCE).await.code(), Some(0));
    Embedded::open(&stage.dir.path().join("state"), Options::default())?.check()?;
    Ok(audit(&Evidence {
        calls: ledger.calls(),
        posts: stage.receiver.posts(),
        ran: stage.example.ran(),
        attempts: stage.gateway.attempts(),
    }))
}

#[expect(clippy::print_stdout, reason = "what `make crash` is run for")]
fn tell(plan: &Plan, findings: &Findings, restarts: &[Duration]) {
    let worst = restarts.iter().max().copied().unwrap_or_default();
    let mut sorted = restarts.to_vec();
    sorted.sort();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    println!(
        "{} kills: {} calls acknowledged, {} results and {} unknown outcomes delivered, {} of them twice; \
         restart to first acknowledgement: median {} ms, worst {} ms",
        plan.kills,
        findings.acknowledged,
        findings.results,
        findings.unknown,
        findings.duplicates,
        median.as_millis(),
        worst.as_millis()
    );
}

/// A receiver that answers 500 now and then, and takes its time.
async fn flaky(ledger: Arc<Ledger>) -> Result<Receiver> {
    Receiver::start(move |post: Post| {
        let ledger = Arc::clone(&ledger);
        let (stumbles, pause) = (rand::random_ratio(STUMBLES, 100), rand::random_range(0..30));
        async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if stumbles {
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
            ledger.deliver(&post);
            StatusCode::OK
        }
    })
    .await
}

/// Someone who calls both tools, one call after the other.
struct Client {
    session: Session,
    path: String,
    name: String,
    number: u64,
    calls: u64,
    ledger: Arc<Ledger>,
}

impl Client {
    async fn connect(stage: &Stage, number: u64, ledger: &Arc<Ledger>) -> Result<Self> {
        let own = number.is_multiple_of(2).then(|| format!("/client-{number}"));
        Ok(Self {
            session: stage.session(own.as_deref()).await?,
            path: own.unwrap_or_else(|| DEFAULT.to_owned()),
            name: format!("client-{number}"),
            number,
            calls: 0,
            ledger: Arc::clone(ledger),
        })
    }

    async fn work(mut self, stop: CancellationToken, seed: u64) -> Result<()> {
        let mut chance = StdRng::seed_from_u64(seed ^ (self.number + 1));
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.ledger.room(&self.path) => {}
                () = stop.cancelled() => break,
            }
            let seconds = f64::from(chance.random_range(0..120)) / 1000.0;
            self.call(chance.random(), seconds).await?;
        }
        Ok(())
    }

    async fn call(&mut self, again: bool, seconds: f64) -> Result<()> {
        self.calls += 1;
        let key = format!("{}-{}", self.name, self.calls);
        let number = self.ledger.enter(Call {
            path: self.path.clone(),
            id: self.calls,
            key: key.clone(),
            again,
            acknowledged: None,
        });
        let tool = if again { AGAIN } else { ONCE };
        let reply = call_surely(&self.session, self.calls, tool, &batch(seconds, &key)).await?;
        self.ledger.acknowledge(number, Acknowledgement::of(&reply)?);
        Ok(())
    }
}

/// How one process comes to its end.
enum Life {
    /// Killed while it starts.
    Starting,
    /// Killed at work.
    Working,
    /// Cut at a commit, or killed if that does not come.
    Failpoint(String),
}

impl Life {
    fn draw(chance: &mut StdRng) -> Self {
        match chance.random_range(0..5) {
            0 => Self::Starting,
            1 => Self::Failpoint(failpoint(chance)),
            _ => Self::Working,
        }
    }

    fn flags(&self) -> Vec<&str> {
        match self {
            Self::Failpoint(failpoint) => vec!["--failpoint", failpoint],
            Self::Starting | Self::Working => Vec::new(),
        }
    }
}

/// Restarts and kills as planned; how long clients waited after each restart that was let live.
async fn kill_repeatedly(stage: &mut Stage, plan: &Plan, ledger: &Arc<Ledger>) -> Result<Vec<Duration>> {
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let mut probe = Client::connect(stage, CLIENTS, ledger).await?;
    let mut restarts = Vec::new();
    for _ in 0..plan.kills {
        stage.gateway.process.kill()?;
        let life = Life::draw(&mut chance);
        let began = Instant::now();
        stage.gateway.relaunch(&life.flags())?;
        if let Life::Working = life {
            probe.call(true, 0.0).await?;
            restarts.push(began.elapsed());
        }
        let longest = if let Life::Starting = life {
            LONGEST_START
        } else {
            LONGEST_LIFE
        };
        // The moment is the stimulus: any will do.
        let life = chance.random_range(0..longest);
        tokio::time::sleep(Duration::from_millis(life)).await;
    }
    stage.gateway.restart(&[]).await?;
    Ok(restarts)
}

fn failpoint(chance: &mut StdRng) -> String {
    let kinds = [Kind::Accept, Kind::Start, Kind::Finish, Kind::Retry, Kind::Settle];
    let kind = kinds[chance.random_range(0..kinds.len())].as_str();
    let when = if chance.random() { "before" } else { "after" };
    format!("{kind}:{when}:{}", chance.random_range(1..40))
}
