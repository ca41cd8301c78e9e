//! The lives and deaths of the data plane under load, drawn from one seed.
//!
//! Invariant: every death is noted, so that what receivers saw twice can be held against it.

use std::time::{Duration, Instant};

use anyhow::Result;
use asyncmcp_delivery::store::redb::Kind;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::load::Client;
use crate::plan::Plan;
use crate::stage::Stage;

/// The longest that a process lives that is killed while it starts.
const LONGEST_START: Duration = Duration::from_millis(250);
/// The longest that one lives once it takes calls.
const LONGEST_LIFE: Duration = Duration::from_millis(1500);
/// How soon the end of a process is noticed that ends by itself.
const LOOK: Duration = Duration::from_millis(5);

/// What came of the kills.
#[derive(Default)]
pub(crate) struct Kills {
    /// When each process died.
    pub(crate) deaths: Vec<Instant>,
    /// How long clients waited after each restart that was let live.
    pub(crate) restarts: Vec<Duration>,
    /// How many processes died at a commit.
    pub(crate) at_commits: usize,
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

    fn longest(&self) -> Duration {
        match self {
            Self::Starting => LONGEST_START,
            Self::Working | Self::Failpoint(_) => LONGEST_LIFE,
        }
    }
}

/// Kills and restarts for as long as `plan` says; the last process lives.
pub(crate) async fn kill_repeatedly(stage: &mut Stage, plan: &Plan, probe: &Client) -> Result<Kills> {
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let (mut kills, began) = (Kills::default(), Instant::now());
    while plan.goes_on(kills.deaths.len(), probe.acknowledged(), began.elapsed()) {
        end(stage, &mut kills)?;
        let life = Life::draw(&mut chance);
        let started = Instant::now();
        stage.gateway.relaunch(&life.flags())?;
        if let Life::Working = life {
            probe.call(true, 0.0).await?;
            kills.restarts.push(started.elapsed());
        }
        // The moment is the stimulus: any will do.
        let left = life.longest().mul_f64(chance.random());
        live(stage, left, &mut kills).await?;
    }
    end(stage, &mut kills)?;
    stage.gateway.restart(&[]).await?;
    Ok(kills)
}

/// Returns when the process is to die, or did.
async fn live(stage: &mut Stage, left: Duration, kills: &mut Kills) -> Result<()> {
    let until = Instant::now() + left;
    while Instant::now() < until {
        if !stage.gateway.process.is_running()? {
            kills.deaths.push(Instant::now());
            kills.at_commits += 1;
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Kills the process unless it is dead already.
fn end(stage: &mut Stage, kills: &mut Kills) -> Result<()> {
    if stage.gateway.process.is_running()? {
        stage.gateway.process.kill()?;
        kills.deaths.push(Instant::now());
    }
    Ok(())
}

fn failpoint(chance: &mut StdRng) -> String {
    let kinds = [Kind::Accept, Kind::Start, Kind::Finish, Kind::Retry, Kind::Settle];
    let kind = kinds[chance.random_range(0..kinds.len())].as_str();
    let when = if chance.random() { "before" } else { "after" };
    format!("{kind}:{when}:{}", chance.random_range(1..40))
}
