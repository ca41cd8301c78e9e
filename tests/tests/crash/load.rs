//! SIGKILL again and again while clients call and receivers stumble: nothing acknowledged is lost.
//!
//! Invariant: each client sends a call until it is acknowledged, so at the end every call made must have been delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use asyncmcp_delivery::store::redb::{Embedded, Options};
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use futures::future::try_join_all;
use http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::{Evidence, Findings, audit};
use crate::kills::{Kills, kill_repeatedly};
use crate::ledger::{Acknowledgement, Call, Ends, Ledger};
use crate::plan::Plan;
use crate::stage::{AGAIN, DEFAULT, ONCE, PATIENCE, Stage, batch, call_surely};

/// Clients at work; every other one names its own receiver.
const CLIENTS: u64 = 10;
/// Calls that a client has in hand at once: sent, and not acknowledged.
const IN_HAND: u64 = 4;
/// How long a restart may keep clients from an acknowledgement, in 95 of 100 cases: the machine is busy with other
/// things too.
const RESTART: Duration = Duration::from_secs(2);
/// In how many of a hundred cases a receiver answers 500.
const STUMBLES: u32 = 10;
/// The longest that a tool takes, in milliseconds.
const LONGEST_CALL: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_many_kills_under_load() -> Result<()> {
    let plan = Plan::of_environment()?;
    say(&format!("{plan:?}"));
    let ledger = Arc::new(Ledger::default());
    let mut stage = Stage::open(flaky(Arc::clone(&ledger)).await?, &[]).await?;
    let load = Load::begin(&stage, &ledger, plan.seed).await?;
    let probe = Client::connect(&stage, CLIENTS, &ledger).await?;
    let kills = kill_repeatedly(&mut stage, &plan, &probe).await?;
    load.end().await?;
    let findings = settle(&mut stage, &ledger, &kills.deaths).await?;
    judge(&plan, &findings, kills);
    Ok(())
}

/// Clients at work.
pub(crate) struct Load {
    stop: CancellationToken,
    hands: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    pub(crate) async fn begin(stage: &Stage, ledger: &Arc<Ledger>, seed: u64) -> Result<Self> {
        let (stop, mut hands) = (CancellationToken::new(), Vec::new());
        for number in 0..CLIENTS {
            let client = Arc::new(Client::connect(stage, number, ledger).await?);
            for hand in 0..IN_HAND {
                let chance = StdRng::seed_from_u64(seed ^ (number * IN_HAND + hand + 1));
                hands.push(tokio::spawn(Arc::clone(&client).work(stop.clone(), chance)));
            }
        }
        Ok(Self { stop, hands })
    }

    pub(crate) async fn end(self) -> Result<()> {
        self.stop.cancel();
        for hand in try_join_all(self.hands).await? {
            hand?;
        }
        Ok(())
    }
}

/// Waits for the last delivery, ends the process, and looks at what is left.
pub(crate) async fn settle(stage: &mut Stage, ledger: &Ledger, deaths: &[Instant]) -> Result<Findings> {
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
        deaths: deaths.to_vec(),
    }))
}

fn judge(plan: &Plan, findings: &Findings, kills: Kills) {
    let deaths = kills.deaths.len();
    let mut restarts = kills.restarts;
    restarts.sort();
    let after = |percent: usize| restarts[(restarts.len() - 1) * percent / 100];
    say(&format!(
        "{deaths} kills, {} of them at a commit: {} calls acknowledged, {} results and {} unknown outcomes delivered, \
         {} times a second time; restart to first acknowledgement: median {:?}, 95 % {:?}, worst {:?}",
        kills.at_commits,
        findings.acknowledged,
        findings.results,
        findings.unknown,
        findings.duplicates,
        after(50),
        after(95),
        after(100),
    ));
    assert_eq!(findings.complaints, Vec::<String>::new());
    assert!(
        findings.acknowledged >= plan.calls(deaths),
        "too little load for {deaths} kills"
    );
    assert!(after(95) <= RESTART, "{restarts:?}");
}

#[expect(clippy::print_stdout, reason = "what `make crash` is run for")]
pub(crate) fn say(what: &str) {
    println!("{what}");
}

/// A receiver that answers 500 now and then, and takes its time.
async fn flaky(ledger: Arc<Ledger>) -> Result<Receiver> {
    let receiver = Receiver::start(move |post: Post| {
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
    .await?;
    Ok(receiver)
}

/// A call that is in the ledger and about to be sent.
struct Entered {
    number: usize,
    id: u64,
    key: String,
}

/// Someone who calls both tools.
pub(crate) struct Client {
    session: Session,
    path: String,
    name: String,
    calls: AtomicU64,
    ledger: Arc<Ledger>,
}

impl Client {
    pub(crate) async fn connect(stage: &Stage, number: u64, ledger: &Arc<Ledger>) -> Result<Self> {
        let own = number.is_multiple_of(2).then(|| format!("/client-{number}"));
        Ok(Self {
            session: stage.session(own.as_deref()).await?,
            path: own.unwrap_or_else(|| DEFAULT.to_owned()),
            name: format!("client-{number}"),
            calls: AtomicU64::new(0),
            ledger: Arc::clone(ledger),
        })
    }

    async fn work(self: Arc<Self>, stop: CancellationToken, mut chance: StdRng) -> Result<()> {
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.ledger.room(&self.path) => {}
                () = stop.cancelled() => break,
            }
            let seconds = Duration::from_millis(chance.random_range(0..LONGEST_CALL)).as_secs_f64();
            self.call(chance.random(), seconds).await?;
        }
        Ok(())
    }

    /// Makes a call and sends it until it is acknowledged.
    pub(crate) async fn call(&self, again: bool, seconds: f64) -> Result<()> {
        self.call_after(Duration::ZERO, again, seconds).await
    }

    /// The same by a client that hangs up so long after it sent the call for the first time.
    pub(crate) async fn call_after(&self, hangs_up: Duration, again: bool, seconds: f64) -> Result<()> {
        let tool = if again { AGAIN } else { ONCE };
        let entered = self.enter(again, Ends::Usual);
        let arguments = batch(seconds, &entered.key);
        if !hangs_up.is_zero() {
            let call = self.session.call(entered.id, tool, &arguments);
            let _hung_up = tokio::time::timeout(hangs_up, call).await;
        }
        self.send(entered, tool, &arguments).await
    }

    /// Calls another tool, once, with `padding` bytes of arguments that mean nothing.
    pub(crate) async fn call_tool(&self, tool: &str, seconds: f64, padding: usize, ends: Ends) -> Result<()> {
        let entered = self.enter(false, ends);
        let mut arguments = batch(seconds, &entered.key);
        if padding > 0 {
            arguments["padding"] = "x".repeat(padding).into();
        }
        self.send(entered, tool, &arguments).await
    }

    fn enter(&self, again: bool, ends: Ends) -> Entered {
        let id = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let key = format!("{}-{id}", self.name);
        let number = self.ledger.enter(Call {
            path: self.path.clone(),
            id,
            key: key.clone(),
            again,
            ends,
            acknowledged: None,
        });
        Entered { number, id, key }
    }

    async fn send(&self, entered: Entered, tool: &str, arguments: &Value) -> Result<()> {
        let reply = call_surely(&self.session, entered.id, tool, arguments).await?;
        self.ledger
            .acknowledge(entered.number, Acknowledgement::of(&reply)?);
        Ok(())
    }

    /// How many calls of all clients were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.ledger.acknowledged()
    }
}
